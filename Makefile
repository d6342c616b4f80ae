# make reproduce   the main job: train everything, judge the claims, draw the figures
# make sweep       the same cells in further releases, from 1.13 to the current one
# make report      results/ as one HTML file that needs no network: results/report.html
# make paper       the reproduction note as PDF: results/paper/note.pdf
# make test        every test
# make benchmark   how long set-up and the main job take; options='--cases ...' for some
# make setup       driver environment in .driver/, and a conda command (says which)
# make lock        hashes of envs/*.in again; NAME=one of them, UPGRADE=1 for newer versions
# make clean-envs  remove the environments of the rules; NAME=one of them

driver := . .driver/bin/activate &&
cores ?= 4

.PHONY: reproduce sweep report paper test benchmark setup lock clean-envs

reproduce: setup
	@$(driver) snakemake --use-conda --cores $(cores)

sweep: setup
	@$(driver) snakemake --use-conda --cores $(cores) sweep

# Of the results there are: nothing is trained. The sweep is shown if there is one.
report: setup
	@$(driver) snakemake --use-conda --cores $(cores) --quiet all --allowed-rules write_pages \
		write_claims_page write_verdicts_page write_environments_page -- write_pages
	@$(driver) snakemake report $(if $(wildcard results/figures/releases.svg),sweep) \
		--report results/report.html --report-stylesheet workflow/report/report.css \
		> results/logs/report.log 2>&1 || { cat results/logs/report.log; exit 1; }
	@echo "The report is results/report.html."

# Of the tables and figures there are, too.
paper: setup
	@$(driver) snakemake --use-conda --cores $(cores) --quiet all --allowed-rules write_config \
		set_paper -- results/paper/note.pdf
	@echo "The note is results/paper/note.pdf."

test: setup
	@$(driver) python -m pytest --numprocesses 2 --dist loadgroup

benchmark: setup
	@$(driver) python tests/benchmark/set_up_and_run.py $(options)

setup:
	@sh workflow/deploy/setup.sh

lock: setup
	@$(driver) python workflow/deploy/lock.py $(NAME) $(if $(UPGRADE),--upgrade)

clean-envs: setup
	@$(driver) python workflow/deploy/clean_envs.py $(NAME)
