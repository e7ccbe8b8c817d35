# Needs make and Python >= 3.11 only; everything else goes into .venv. `make help` lists the commands.
#   make PYTHON=python3.13 ...    uses that interpreter
#   make run ARGS='--port 9000'   passes arguments on

.DEFAULT_GOAL := help
.PHONY: run load stack test mutants bench peer-suites otel-releases lint generate screenshots dashboard-pictures tools lock clean help

# Tests of one file stay together: they share servers and browsers. How many processes, and in which
# order files go: tests/conftest.py.
parallel = --numprocesses auto --dist loadfile --no-loadscope-reorder

# Of these again in other modes of asyncio: the library, and what runs in the background. Coverage is measured
# there, too: of all tests it would take twice as long, and show no line of the library more.
units = tests/unit/retryscope tests/unit/retryscope_service/runs

heading = @printf '\n== %s\n'

run: ## Set up .venv and start the service on 127.0.0.1:8080
	@scripts/environment run
	@exec .venv/bin/retryscope serve $(ARGS)

load: ## Send traffic to the running service; ARGS='--scenario failures' makes it fail
	@scripts/environment run
	@exec .venv/bin/retryscope load $(ARGS)

stack: ## Run Prometheus and Alertmanager against the running service; ARGS='--scale 0.005' for a quick demo
	@scripts/environment run
	@exec .venv/bin/retryscope stack $(ARGS)

test: lint ## Set up .venv, run every check and every test
	$(heading) 'pytest: all tests and the examples in docstrings'
	@.venv/bin/pytest $(parallel)
	$(heading) 'pytest: unit tests of library and runs in asyncio debug mode, with branch coverage of the library'
	@PYTHONASYNCIODEBUG=1 .venv/bin/pytest $(parallel) --asyncio-debug $(units) --cov
	$(heading) 'pytest: unit tests of library and runs with eager tasks'
	@if .venv/bin/python -c 'import asyncio, sys; sys.exit(not hasattr(asyncio, "eager_task_factory"))'; \
	then .venv/bin/pytest $(parallel) --eager-tasks $(units); \
	else echo 'skipped: tasks can start eagerly from Python 3.12 on, and this is' "$$(.venv/bin/python -V)"; fi

	$(heading) "pytest: unit tests of the library on the SDK's recorder"
	@.venv/bin/pytest $(parallel) --recorder sdk tests/unit/retryscope
	$(heading) 'pytest: unit tests of the library on uvloop'
	@.venv/bin/pytest $(parallel) --uvloop tests/unit/retryscope

lint: ## Check formatting, lint, types, import directions, and the page with its unit tests
	@scripts/environment dev
	$(heading) 'ruff format --check'
	@.venv/bin/ruff format --check
	$(heading) 'ruff check'
	@.venv/bin/ruff check
	$(heading) 'mypy --strict'
	@.venv/bin/mypy
	$(heading) 'lint-imports'
	@.venv/bin/lint-imports --no-logo
	$(heading) 'the console: types of the API, prettier, oxlint, tsc, vitest'
	@.venv/bin/python scripts/build_page.py check

generate: ## Write the dashboards, the alert rules and the page's types anew, from what they are made from
	@scripts/environment dev
	.venv/bin/python -m grafana
	.venv/bin/retryscope rules > deploy/prometheus/rules/retryscope.yml
	.venv/bin/retryscope rules --format kubernetes > deploy/kubernetes/generated/prometheusrule.yml
	.venv/bin/python scripts/build_page.py types

screenshots: ## Write the pictures of the console in docs/screenshots anew, from a service with traffic
	@scripts/environment dev
	@RETRYSCOPE_SCREENSHOTS=1 .venv/bin/pytest tests/browser/test_screenshots.py

dashboard-pictures: ## Draw each dashboard in four states, three widths, both themes: half an hour
	@scripts/environment dev
	@.venv/bin/python scripts/build_page.py preview
	@RETRYSCOPE_PICTURES=grafana/preview/pictures .venv/bin/pytest tests/browser/test_dashboard_pictures.py

tools: ## Fetch what some tests use: Docker Compose 2, promtool 3, kubectl, and 500 MB that draw dashboards
	@scripts/newer-debian-tools
	@scripts/environment dev
	@.venv/bin/python scripts/build_page.py preview

peer-suites: ## Run the tests that CPython, tenacity and stamina have of asyncio through the library
	@scripts/environment dev
	@.venv/bin/python -m scripts.peer_suites

otel-releases: ## Run the tests of what records spans on each release of OpenTelemetry that is supported
	@scripts/environment dev
	@.venv/bin/python -m scripts.otel_releases

mutants: ## Change the library's code in one place at a time, and see which changes no test notices: half an hour
	@scripts/environment dev
	@.venv/bin/python -m scripts.mutants $(ARGS)

bench: ## Measure what tracing costs, beside others and untraced: docs/performance.md; ARGS=--write-docs writes it anew
	@scripts/environment dev
	@.venv/bin/python -m benchmarks $(ARGS)

compile = .venv/bin/uv --no-config pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	--no-emit-package retryscope --no-emit-package retryscope-service $(ARGS)

lock: ## Renew the locks from pyproject.toml and package.json; ARGS=--upgrade takes the newest Python packages
	@[ -x .venv/bin/uv ] || scripts/environment dev
	$(compile) pyproject.toml service/pyproject.toml --group build --output-file requirements.lock
	$(compile) pyproject.toml service/pyproject.toml --extra aiohttp --group dev \
		--constraints requirements.lock --output-file requirements-dev.lock
	$(compile) --group pyproject.toml:node --output-file requirements-node.lock
	$(compile) --group pyproject.toml:peers --overrides requirements-dev.lock \
		$$(sed -n 's/^\([a-z0-9.-]*\)==.*/--no-emit-package \1/p' requirements-dev.lock) \
		--output-file requirements-peers.lock
	.venv/bin/python scripts/build_page.py lock

clean: ## Remove .venv and everything that the commands leave behind
	rm -rf .venv .node .peers .tools .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache \
		.ruff_cache dist htmlcov web/dist web/node_modules \
		grafana/preview/node_modules grafana/preview/pictures
	find benchmarks grafana instrumentation scripts service tests -name __pycache__ -prune -exec rm -rf {} +

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
