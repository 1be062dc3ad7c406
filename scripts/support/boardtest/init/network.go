package main

import (
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What QEMU's user network gives: its own addresses, no DHCP needed.
var (
	address = netip.MustParseAddr("10.0.2.15")
	mask    = netip.MustParseAddr("255.255.255.0")
	router  = netip.MustParseAddr("10.0.2.2")
)

// network brings up lo and eth0 and routes everything through QEMU.
func network() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	defer unix.Close(s)
	set := func(name string, request uint, a netip.Addr) {
		ifr, e := unix.NewIfreq(name)
		if e == nil {
			if e = ifr.SetInet4Addr(a.AsSlice()); e == nil {
				e = unix.IoctlIfreq(s, request, ifr)
			}
		}
		if e != nil && err == nil {
			err = fmt.Errorf("network: address of %s: %w", name, e)
		}
	}
	raise := func(name string) {
		ifr, e := unix.NewIfreq(name)
		if e == nil {
			ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
			e = unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr)
		}
		if e != nil && err == nil {
			err = fmt.Errorf("network: %s up: %w", name, e)
		}
	}
	raise("lo")
	set("eth0", unix.SIOCSIFADDR, address)
	set("eth0", unix.SIOCSIFNETMASK, mask)
	raise("eth0")
	if err != nil {
		return err
	}
	if e := defaultRoute(s, router); e != nil {
		return fmt.Errorf("network: default route: %w", e)
	}
	return nil
}

// defaultRoute is SIOCADDRT with the struct rtentry of 64-bit Linux (linux/route.h).
func defaultRoute(s int, gateway netip.Addr) error {
	entry := struct {
		_                     uint64
		dst, gateway, genmask unix.RawSockaddrInet4
		flags                 uint16
		_                     [70]byte
	}{flags: unix.RTF_UP | unix.RTF_GATEWAY}
	entry.dst.Family, entry.genmask.Family = unix.AF_INET, unix.AF_INET
	entry.gateway = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: gateway.As4()}
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(s), unix.SIOCADDRT, uintptr(unsafe.Pointer(&entry))); e != 0 {
		return e
	}
	return nil
}
