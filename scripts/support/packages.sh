# shellcheck shell=bash
# Sourced by scripts/*: Debian's packages. The script that sources it has cannot REASON, which ends a stage that cannot run.
#
#   missing_packages PACKAGE...   prints those that are not installed, one a line
#   install_packages PACKAGE...   installs those; root, or sudo without a password, if there are any

# What scripts/boardtest needs; scripts/test runs it, too.
# shellcheck disable=SC2034
board_packages=(
	qemu-system-arm qemu-user-static cpio kmod xz-utils e2fsprogs iproute2 kamailio baresip-core espeak-ng
)

missing_packages() {
	local p
	for p in "$@"; do
		[[ $(dpkg-query -W -f '${Status}' "$p" 2>/dev/null) == 'install ok installed' ]] || printf '%s\n' "$p"
	done
}

install_packages() {
	local want root=()
	mapfile -t want < <(missing_packages "$@")
	if ((${#want[@]} == 0)); then return 0; fi
	command -v apt-get >/dev/null || cannot "no apt-get here; missing: ${want[*]}"
	if ((EUID != 0)); then
		sudo -n true 2>/dev/null || cannot "neither root nor sudo without a password; missing: ${want[*]}"
		root=(sudo -n)
	fi
	# The peers are to be started by the tests alone: no Kamailio on port 5060 because its package was installed.
	local policy=/usr/sbin/policy-rc.d made='' code=0
	if [[ ! -e $policy ]]; then
		printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
		"${root[@]}" chmod 755 "$policy"
		made=1
	fi
	{ "${root[@]}" apt-get update -q && "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${want[@]}"; } || code=$?
	if [[ $made ]]; then "${root[@]}" rm "$policy"; fi
	return "$code"
}
