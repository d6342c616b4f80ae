# make reproduce   the main job: train everything, judge the claims, draw the figures
# make smoke       the four published numbers, and V1 and V2, with verdicts: a minute
# make claim       NAME=one of claims.yaml: trains what it rests on, and prints its verdict
# make sweep       the same cells in further releases, from 1.13 to the current one
# make study       what makes BN help: thousands of seeds, settings, activations (docs/study.md)
# make diagnose    FIRST=a.py SECOND=b.py IN=environment, or SCRIPT=a.py IN="one other": why two
#                  results differ, and how much each cause contributes (docs/diagnose.md);
#                  RELEASES=1: which release in between changed it
# make figures     every figure again from the tables, nothing trained; NAME=one of them
# make check       what differs from the committed tables, and whether that is within the spread
# make report      results/ as one HTML file that needs no network: results/report.html
# make pages       the report's pages alone, in results/report: claims, verdicts, environments
# make paper       the reproduction note as PDF: results/paper/note.pdf
# make docs        the documentation site: results/site/index.html
# make crate       the finished run as one archive, an RO-Crate: results/run.crate.zip
# make sbom        bills of materials of all locks, CycloneDX: results/provenance/bills/
# make audit       what is known against the driver's and the figures' packages; fails if anything
#                  is, and where no index of vulnerabilities can be reached
# make test        every test
# make benchmark   the same commands by a shell loop, GNU make, DVC and this workflow
# make setup       driver environment in .driver/, and a conda command (says which)
# make lock        hashes of envs/*.in again; NAME=one of them, UPGRADE=1 for newer versions
# make clean-envs  remove the environments of the rules; NAME=one of them, PREFIX=--conda-prefix
# make help        this list

driver := . .driver/bin/activate &&
cores ?= $(shell nproc)
# What a target below adds to this line is what a user may type.
snakemake = exec snakemake --use-conda --cores $(cores)
# This line is for what is made of results that are there. It says what is made, and why a job failed.
briefly = @$(driver) exec snakemake --quiet host progress reason --use-conda --cores $(cores)

.PHONY: reproduce smoke claim sweep study diagnose figures check pages report paper docs crate sbom audit \
	test benchmark setup lock clean-envs help

# Only the last step is forced. It prints the claims, also when there is nothing else to do.
reproduce: setup
	@$(driver) $(snakemake) --forcerun all

smoke: setup
	@$(driver) $(snakemake) --forcerun judge_claims --config claim=smoke -- judge_claims

claim: setup
	@$(driver) $(snakemake) --config 'claim="$(NAME)"' -- judge_claims

sweep: setup
	@$(driver) $(snakemake) sweep

study: setup
	@$(driver) $(snakemake) study

# make leaves the options in the environment. Files are named from the folder in which make was called:
# make diagnose -C CLONE ...
diagnose: setup
	@$(driver) cd '$(subst ','\'',$(value PWD))' && \
		exec python -s "$(CURDIR)/workflow" diagnose.pairs --cores $(cores)

figures: setup
	@$(driver) $(snakemake) $(if $(NAME),--allowed-rules render_figure \
		--forcerun render_figure -- $$(git ls-files 'results/figures/$(NAME).*'),--allowed-rules redraw_figures \
		--forcerun redraw_figures -- redraw_figures)

check: setup
	$(briefly) --forcerun check -- check

# These show the tables and figures that there are; nothing is trained.
pages: setup
	$(briefly) --allowed-rules write_page write_claims write_pages -- write_pages

# Snakemake puts files into a report that are there: the pages come first.
report: pages
	$(briefly) report $(if $(wildcard results/figures/releases.svg),sweep) \
		$(if $(wildcard results/figures/bn_effect.svg),study) \
		--report results/report.html --report-stylesheet workflow/report/report.css
	@echo "The report is results/report.html."

paper: setup
	$(briefly) --allowed-rules write_config set_paper -- set_paper
	@echo "The note is results/paper/note.pdf."

docs: setup
	$(briefly) build_documentation
	@echo "The documentation starts at results/site/index.html."

crate: setup
	$(briefly) write_crate
	@echo "The archive is results/run.crate.zip."

sbom: setup
	$(briefly) --snakefile envs/Snakefile write_bills
	@echo "The bills of materials are in results/provenance/bills."

audit: setup
	$(briefly) --snakefile envs/Snakefile audit

# Three at a time on the two cores of continuous integration: the tests of clusters mostly wait.
test: setup
	@$(driver) python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 10

benchmark: setup
	@$(driver) python benchmarks/against_others.py $(options)

setup:
	@sh workflow/deploy/setup.sh

lock: setup
	@$(driver) PYTHONPATH=workflow python -s envs/lock.py $(NAME) $(if $(UPGRADE),--upgrade)

clean-envs: setup
	@$(driver) python -s workflow deploy.clean_envs $(NAME) $(if $(PREFIX),--prefix "$(PREFIX)")

help:
	@sed -n 's/^# //p;/^$$/q' Makefile
