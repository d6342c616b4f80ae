# make setup       driver environment in .driver/, and a conda command (says which)
# make lock        hashes of envs/*.in again; NAME=one of them, UPGRADE=1 for newer versions
# make clean-envs  remove the environments of the rules; NAME=one of them

driver := . .driver/bin/activate &&

.PHONY: setup lock clean-envs

setup:
	@sh workflow/deploy/setup.sh

lock: setup
	@$(driver) python workflow/deploy/lock.py $(NAME) $(if $(UPGRADE),--upgrade)

clean-envs: setup
	@$(driver) python workflow/deploy/clean_envs.py $(NAME)
