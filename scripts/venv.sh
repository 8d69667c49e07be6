# What scripts/demo, scripts/test and scripts/lock share: finding a Python, making a virtual environment, and installing
# the pinned requirements into it once.  Sourced with bash, from the top folder of the checkout.
# shellcheck shell=bash

oldest_minor=11
newest_minor=13

# The caller's own Python settings must not reach into our environments.
# Without bytecode every start compiles this project again, as no installed one does.
unset PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# Whether a command is a Python that runs and is new enough.  Running it is the only proof: a pyenv shim is found on
# PATH whether or not there is a Python behind it.
runs_as_python() {
    "$1" -c "import sys; sys.exit(sys.version_info < (3, $oldest_minor))" >/dev/null 2>&1 </dev/null
}

# Prints the command of python3.MINOR: from PATH, or else the newest that pyenv has installed but not switched on.
python_of_minor() {
    local candidate
    local pyenv="${PYENV_ROOT:-${HOME:-}/.pyenv}/versions"
    for candidate in "python3.$1" $(ls -d "$pyenv/3.$1".*/bin/python3 2>/dev/null | sort -rV); do
        if runs_as_python "$candidate"; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

# Prints the Python to use where nobody asks for a certain one: $PYTHON, python3, or the oldest that we support.
default_python() {
    local minor
    if [[ -n ${PYTHON:-} ]]; then
        runs_as_python "$PYTHON" || fail "PYTHON=$PYTHON does not run or is older than 3.$oldest_minor; name another"
        printf '%s\n' "$PYTHON"
        return 0
    fi
    if runs_as_python python3; then
        echo python3
        return 0
    fi
    for ((minor = oldest_minor; minor <= newest_minor; minor++)); do
        python_of_minor "$minor" && return 0
    done
    fail "found no Python 3.$oldest_minor or later; install one (Debian: apt-get install python3 python3-venv)"
}

# make_venv FOLDER PYTHON: leaves a folder that works as it is alone, and replaces one whose Python is gone or is not the
# one that $PYTHON asks for.
make_venv() {
    if runs_as_python "$1/bin/python" && "$1/bin/python" -m pip --version >/dev/null 2>&1 && is_asked_for "$1" "$2"; then
        return 0
    fi
    say "  making $1 with $("$2" --version)"
    "$2" -m venv --clear "$1" >&2 ||
        fail "could not make a virtual environment; on Debian: apt-get install python3-venv"
}

# Versions alone do not tell two installations apart: one may be optimised and the other not.
is_asked_for() { [[ -z ${PYTHON:-} || $(installation "$1/bin/python") == "$(installation "$2")" ]]; }

installation() { "$1" -c 'import sys; print(sys.base_prefix, sys.version)'; }

# install_pins FOLDER LIST...: the pinned requirements/LIST.txt and this checkout (editable), unless exactly that stands
# there already.  A stamp in the environment is named by the sum of everything that decides what is installed, so that
# changed pins are noticed and unchanged ones cost nothing.
install_pins() {
    local folder=$1 sum stamp name
    local -a pins=()
    shift
    sum=$({ pwd && cat pyproject.toml requirements/*.txt; } | cksum | tr -d ' ')
    stamp="$folder/corsproxy-$sum-$(IFS=-; echo "$*")"
    if [[ -f $stamp ]]; then
        return 0
    fi
    for name in "$@"; do pins+=(--requirement "requirements/$name.txt"); done
    say "  installing into $folder: ${pins[*]}"
    find "$folder" -maxdepth 1 -name 'corsproxy-*' ! -name "corsproxy-$sum-*" -delete
    # The lists are complete, and requirements/overrides.txt is not known to pip.
    run_pip "$folder" install --no-deps --require-hashes --only-binary :all: "${pins[@]}"
    run_pip "$folder" install --no-deps --no-build-isolation --editable .
    : >"$stamp"
}

# make_compiled FOLDER: this checkout with its hot modules compiled, in .compiled, unless exactly that stands there already.
# It runs in the environment FOLDER with PYTHONSAFEPATH=1 and PYTHONPATH=.compiled, which come before the checkout.
# MYPYC_OPT_LEVEL says how well: 1, which compiles in half of the time and does the same, or 3 as wheels have it.
make_compiled() {
    local sum level=${MYPYC_OPT_LEVEL:-1}
    sum=$({ echo "$level" && "$1/bin/python" -VV && cat pyproject.toml hatch_build.py && find corsproxy -name '*.py' | LC_ALL=C sort |
        xargs cksum; } | cksum | tr -d ' ')
    if [[ -f .compiled/made-from-$sum ]]; then
        return 0
    fi
    ensure_compiler
    say "  compiling into .compiled (about a minute)"
    rm -rf .compiled
    CORSPROXY_COMPILE=1 MYPYC_OPT_LEVEL=$level \
        run_pip "$1" wheel --no-deps --no-index --no-build-isolation --wheel-dir .compiled/wheel .
    "$1/bin/python" -m zipfile --extract .compiled/wheel/*.whl .compiled
    rm -rf .compiled/wheel
    "$1/bin/python" -m compileall -q .compiled # as pip does when it installs a wheel
    : >".compiled/made-from-$sum"
}

ensure_compiler() {
    if type cc >/dev/null 2>&1; then
        return 0
    fi
    if [[ $EUID == 0 && -f /etc/debian_version ]] && type apt-get >/dev/null 2>&1; then
        say "== no C compiler: apt-get install gcc libc6-dev"
        apt-get -qq update >&2 && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends \
            gcc libc6-dev >&2 </dev/null && return 0
    fi
    fail "no C compiler; install one (Debian: apt-get install gcc libc6-dev)"
}

run_pip() { # run_pip FOLDER ARGUMENT...
    local folder=$1
    shift
    "$folder/bin/python" -m pip --quiet --disable-pip-version-check "$@" >&2 ||
        fail "  pip could not do it; its message is above"
}
