# shellcheck shell=bash
# Sourced by scripts/* before anything else that needs Go: one line, with the remedy, where Go is missing or too
# old.
#
# Go 1.21 and newer fetch by themselves the version that go.mod asks for. With CI=true they do not: there the Go
# that is installed is the one to test with.

# need_go: ends the script where its Go is of no use.
need_go() {
	local want have url=https://go.dev/dl
	want=$(awk '$1 == "go" { print $2 }' go.mod)
	if ! command -v go >/dev/null; then
		printf 'no Go here: install Go %s or newer from %s and put its bin folder into PATH\n' "$want" "$url" >&2
		exit 1
	fi
	have=$(GOTOOLCHAIN=local go version)
	have=${have#go version go}
	have=${have%% *}
	if [[ ${CI:-} == true ]]; then
		export GOTOOLCHAIN=local
	elif ! older "$have" 1.21; then
		# Some distributions' Go fetches nothing unless it is told to.
		if older "$have" "$want"; then export GOTOOLCHAIN=${GOTOOLCHAIN:-auto}; fi
		return
	fi
	if older "$have" "$want"; then
		printf 'Go %s is too old: install Go %s or newer from %s and put its bin folder before %s in PATH\n' \
			"$have" "$want" "$url" "$(dirname "$(command -v go)")" >&2
		exit 1
	fi
}

# older A B: whether version A comes before B. What is no number ("devel") is taken for new.
older() { [[ $1 =~ ^[0-9] && $1 != "$2" && $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

need_go
export GOFLAGS=-mod=readonly
