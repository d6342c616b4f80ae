# make reproduce   the main job: train everything, judge the claims, draw the figures
# make sweep       the same cells in further releases, from 1.13 to the current one
# make test        every test
# make benchmark   how long set-up and the main job take; options='--cases ...' for some
# make setup       driver environment in .driver/, and a conda command (says which)
# make lock        hashes of envs/*.in again; NAME=one of them, UPGRADE=1 for newer versions
# make clean-envs  remove the environments of the rules; NAME=one of them

driver := . .driver/bin/activate &&
cores ?= 4

.PHONY: reproduce sweep test benchmark setup lock clean-envs

reproduce: setup
	@$(driver) snakemake --use-conda --cores $(cores)

sweep: setup
	@$(driver) snakemake --use-conda --cores $(cores) sweep

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
