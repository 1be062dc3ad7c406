package app

import (
	"net"
	"net/netip"
	"testing"
)

// TestOutward: what phones are told in a house network without a default route.
func TestOutward(t *testing.T) {
	for _, c := range []struct {
		want  string
		addrs []string
	}{
		{"192.168.1.7", []string{"127.0.0.1/8", "::1/128", "fe80::1/64", "2001:db8::7/64", "192.168.1.7/24", "10.0.0.7/8"}},
		{"fd00::7", []string{"127.0.0.1/8", "::1/128", "fe80::1/64", "fd00::7/64", "2001:db8::7/64"}},
		{"127.0.0.1", []string{"127.0.0.1/8", "::1/128", "fe80::1/64", "169.254.3.4/16"}},
		{"127.0.0.1", nil},
	} {
		var addrs []net.Addr
		for _, a := range c.addrs {
			ip, n, err := net.ParseCIDR(a)
			if err != nil {
				t.Fatal(err)
			}
			addrs = append(addrs, &net.IPNet{IP: ip, Mask: n.Mask})
		}
		if got := outward(addrs); got != netip.MustParseAddr(c.want) {
			t.Errorf("%v: %v, want %s", c.addrs, got, c.want)
		}
	}
}
