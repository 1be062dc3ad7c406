package media

import (
	"net/netip"
	"testing"
)

// Sound is let in from where the signalling comes from at present; where a registrar knows the far end's
// hosts, from those alone.
func TestLatchFrom(t *testing.T) {
	m := (&Config{}).NewLeg(nil)
	server, phone := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	moved := netip.MustParseAddr("192.0.2.3")
	m.peer.Store(&server)
	if !m.latchFrom(server) || m.latchFrom(phone) {
		t.Error("not the signalling's address alone")
	}
	m.peer.Store(&moved)
	if m.latchFrom(server) || !m.latchFrom(netip.MustParseAddr("::ffff:192.0.2.3")) {
		t.Error("not the signalling's present address")
	}
	at := phone
	m.At = func(a netip.Addr) bool { return a == at }
	if m.latchFrom(server) || !m.latchFrom(phone) {
		t.Error("not the registered address alone")
	}
	if at = moved; m.latchFrom(phone) || !m.latchFrom(moved) {
		t.Error("not the address registered at present")
	}
}
