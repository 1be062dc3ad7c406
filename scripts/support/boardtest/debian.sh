# shellcheck shell=bash
# Sourced by scripts/boardtest, which has set cache and work: the board's parts from Debian's archive.
#
#   renewed NAME       succeeds where $cache/NAME is not a week old and was made as this file says
#   fetch_kernel       fills $cache/kernel: vmlinuz, modules/, list ("module parameters" in order), release
#   fetch_userland     fills $cache/userland: root/ (systemd, udev; no script of theirs is run), release
#   card TREE IMAGE    makes a card, an ext4 file system, of the userland and TREE's files

: "${cache:?}" "${work:?}"
recipe=scripts/support/boardtest/debian.sh

renewed() { [[ $(find "$cache/$1/release" -mtime -7 2>/dev/null) ]] && cmp -s "$recipe" "$cache/$1/recipe"; }

# Another architecture's packages, but dpkg is told nothing: apt gets lists and a cache of its own.
debian_lists() {
	local apt=$cache/apt
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	cat >"$apt/apt.conf" <<CONF
APT::Architecture "$(dpkg --print-architecture)";
APT::Architectures {"$(dpkg --print-architecture)"; "arm64";};
APT::Sandbox::User "root";
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt/cache";
CONF
	export APT_CONFIG=$apt/apt.conf
	apt-get update -q
}

# in_cache NAME DIR: DIR becomes $cache/NAME.
in_cache() {
	cp "$recipe" "$2/recipe"
	rm -rf "$cache/$1.old"
	if [[ -e $cache/$1 ]]; then mv "$cache/$1" "$cache/$1.old"; fi
	mv "$2" "$cache/$1"
	rm -rf "$cache/$1.old"
}

# For the board's hardware and its card's file system; ext4 asks for crc32c only when it mounts.
board_modules=(virtio_mmio virtio_net virtio_console crc32c_generic ext4 virtio_blk snd-aloop)

fetch_kernel() {
	local new=$work/kernel name release module file
	mkdir -p "$new/root" "$new/modules"
	debian_lists
	name=$(apt-cache depends linux-image-arm64:arm64 |
		sed -n 's/^ *Depends: \(linux-image-[^:]*\).*/\1/p' | head -n 1)
	if [[ ! $name ]]; then
		echo "the package archive has no linux-image-arm64"
		return 1
	fi
	(cd "$new" && apt-get download -q "$name:arm64")
	dpkg-deb -x "$new"/*.deb "$new/root"
	release=$(ls "$new/root/lib/modules")
	depmod -b "$new/root" "$release"
	for module in "${board_modules[@]}"; do
		modprobe -d "$new/root" -S "$release" --show-depends "$module"
	done |
		while read -r _ file _; do
			module=$(basename "$file" .xz)
			if [[ -e $new/modules/$module ]]; then continue; fi
			case $file in
			*.xz) xz -dc "$file" >"$new/modules/$module" ;;
			*) cp "$file" "$new/modules/$module" ;;
			esac
			# Two substreams: one for the station, one for the person in front of it.
			if [[ $module == snd-aloop.ko ]]; then module+=" index=0 pcm_substreams=2"; fi
			echo "/lib/modules/$module" >>"$new/list"
		done
	cp "$new"/root/boot/vmlinuz-* "$new/vmlinuz"
	echo "$release" >"$new/release"
	rm -rf "$new/root" "$new"/*.deb
	in_cache kernel "$new"
}

# Depended on, but needed by maintainer scripts and logins only.
userland_without='adduser|deb.*|dpkg|gcc-.*|libdb.*|libpam-.*|libsemanage.*|libsepol.*|passwd|tar'

fetch_userland() {
	local new=$work/userland package
	mkdir -p "$new/debs/partial" "$new/root"/usr/{bin,sbin,lib}
	debian_lists
	# To apt, this is a machine with nothing installed.
	apt-get install -qy --download-only --no-install-recommends \
		-o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State::status=/dev/null \
		-o "Dir::Cache::archives=$new/debs" systemd udev dash coreutils base-passwd
	for package in bin sbin lib; do ln -s "usr/$package" "$new/root/$package"; done
	for package in "$new"/debs/*.deb; do
		if [[ $(basename "$package") =~ ^($userland_without)_ ]]; then continue; fi
		dpkg-deb --fsys-tarfile "$package" | tar -x -C "$new/root" --keep-directory-symlink \
			--exclude './usr/share/[!b]*/*' --exclude '*/gconv/*' --exclude '*/hwdb.d/*'
	done
	(cd "$new/debs" && ls systemd_*.deb) >"$new/release"
	rm -rf "$new/debs"
	in_cache userland "$new"
}

# What is started: nothing for first boots, logins, networks or other machines; udev knows GPIO and sound.
card_starts=('systemd-journald*' 'systemd-udev*' systemd-sysctl.service)
card_rules=(50-udev-default.rules 60-portero.rules 99-systemd.rules)

card() {
	local tree=$1 image=$2 etc=$1/etc systemd=$1/usr/lib/systemd name but=() as=(env)
	cp -a "$cache/userland/root/." "$tree"
	mkdir -p "$tree"/{dev,proc,root,run,sys,tmp,var/lib,var/tmp}
	ln -s /run "$tree/var/run"
	cp "$tree/usr/share/base-passwd/passwd.master" "$etc/passwd"
	echo 'portero:x:990:990::/var/lib/portero:/usr/sbin/nologin' >>"$etc/passwd"
	sed 's/^audio:.*/&portero/' "$tree/usr/share/base-passwd/group.master" >"$etc/group"
	printf '%s\n' portero:x:990: gpio:x:991:portero systemd-journal:x:992: >>"$etc/group"
	# Of udev's rules.
	printf '%s\n' input:x:993: kvm:x:994: render:x:995: sgx:x:996: >>"$etc/group"
	printf '%s\n' 'passwd: files' 'group: files' 'hosts: files dns' >"$etc/nsswitch.conf"
	echo b0a4d7e5700000000000000000000001 >"$etc/machine-id" # without one systemd takes it for a first boot
	echo board >"$etc/hostname"
	for name in "${card_starts[@]}"; do but+=(! -name "$name"); done
	find "$systemd/system" -path '*.wants/*' "${but[@]}" -delete
	rm -r "$systemd/system-generators"
	but=()
	for name in "${card_rules[@]}"; do but+=(! -name "$name"); done
	find "$tree/usr/lib/udev/rules.d" -type f "${but[@]}" -delete
	mkdir -p "$etc/systemd/system"/{multi-user.target.wants,systemd-udev-trigger.service.d}
	printf '%s\n' '[Service]' ExecStart= \
		'ExecStart=udevadm trigger --action=add --settle --subsystem-match=gpio --subsystem-match=sound' \
		>"$etc/systemd/system/systemd-udev-trigger.service.d/few.conf"
	ln -s /lib/systemd/system/multi-user.target "$etc/systemd/system/default.target"
	ln -s /lib/systemd/system/portero.service "$etc/systemd/system/multi-user.target.wants/portero.service"
	# As root in a namespace of its own, so that the files are root's on the card.
	if ((EUID != 0)) && unshare --map-root-user true 2>/dev/null; then as=(unshare --map-root-user); fi
	rm -f "$image"
	"${as[@]}" mke2fs -q -t ext4 -d "$tree" "$image" 256M
}
