package transaction

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// Oddities are told once per source and minute, for a bounded number of sources.
func TestOddities(t *testing.T) {
	var o oddities
	now := time.Now()
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for _, step := range []struct {
		addr netip.Addr
		wait time.Duration
		want bool
	}{
		{a, 0, true}, {a, 0, false}, {b, 0, true}, {a, 59 * time.Second, false}, {a, time.Second, true},
		{b, 0, true}, {b, 0, false},
	} {
		now = now.Add(step.wait)
		if got := o.first(step.addr, now); got != step.want {
			t.Errorf("%v: told %v, want %v", step, got, step.want)
		}
	}
	told := 0
	for i := range 1000 {
		if o.first(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1)), now) {
			told++
		}
	}
	if told != oddSources-2 || len(o.told) != oddSources {
		t.Errorf("%d of 1000 sources are told, %d kept", told, len(o.told))
	}
}
