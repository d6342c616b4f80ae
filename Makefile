# make reproduce   the main job: train everything, judge the claims, draw the figures
# make sweep       the same cells in further releases, from 1.13 to the current one
# make figures     every figure again from the tables, nothing trained; NAME=one of them
# make check       what differs from the committed tables, and whether that is within the spread
# make test        every test
# make benchmark   how long set-up and the main job take; options='--cases ...' for some
# make setup       driver environment in .driver/, and a conda command (says which)
# make lock        hashes of envs/*.in again; NAME=one of them, UPGRADE=1 for newer versions
# make clean-envs  remove the environments of the rules; NAME=one of them

driver := . .driver/bin/activate &&
cores ?= 4

.PHONY: reproduce sweep figures check test benchmark setup lock clean-envs

reproduce: setup
	@$(driver) snakemake --use-conda --cores $(cores)

sweep: setup
	@$(driver) snakemake --use-conda --cores $(cores) sweep

figures: setup
	@$(driver) rules="$(or $(NAME:%=render_%),$$(snakemake --list-rules | grep ^render_))" && \
	snakemake --use-conda --cores $(cores) --allowed-rules write_config $$rules \
		--forcerun $$rules -- $$(git ls-files 'results/figures/$(or $(NAME),*).*')

check: setup
	@$(driver) python workflow/scripts/check_results.py || [ $$? -eq 1 ]

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
