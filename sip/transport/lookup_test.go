package transport_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/transport"
)

const (
	typeA    = 1
	typeAAAA = 28
	typeSRV  = 33
)

// nameServer is a DNS server on the loopback (RFC 1035 §4). Records are the data of each name and type.
type nameServer struct {
	mu      sync.Mutex
	records map[string][][]byte // "name type"
	deaf    func(name string, qtype uint16) bool
	asked   []string
	addr    *net.UDPAddr
}

func key(name string, qtype uint16) string { return fmt.Sprint(name, " ", qtype) }

func (ns *nameServer) set(f func(ns *nameServer)) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	f(ns)
}

// serve answers until the test ends.
func (ns *nameServer) serve(t *testing.T) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ns.addr = conn.LocalAddr().(*net.UDPAddr)
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDP(buf)
			if err != nil {
				return
			}
			if answer := ns.answer(buf[:n]); answer != nil {
				conn.WriteToUDP(answer, from)
			}
		}
	}()
}

// answer answers all questions of a query in one message.
func (ns *nameServer) answer(q []byte) []byte {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	questions, at := int(binary.BigEndian.Uint16(q[4:])), 12
	var records []byte
	count := 0
	for range questions {
		start := at
		var labels []string
		for q[at] != 0 {
			labels = append(labels, string(q[at+1:at+1+int(q[at])]))
			at += 1 + int(q[at])
		}
		name, qtype := strings.Join(labels, "."), binary.BigEndian.Uint16(q[at+1:])
		at += 5
		ns.asked = append(ns.asked, key(name, qtype))
		if ns.deaf != nil && ns.deaf(name, qtype) {
			return nil
		}
		for _, data := range ns.records[key(name, qtype)] {
			count++
			records = append(records, 0xc0, byte(start), 0, byte(qtype), 0, 1, 0, 0, 0, 60)
			records = append(binary.BigEndian.AppendUint16(records, uint16(len(data))), data...)
		}
	}
	rcode := byte(0)
	if count == 0 {
		rcode = 3
	}
	b := append([]byte{q[0], q[1], 0x84, rcode, q[4], q[5], 0, byte(count), 0, 0, 0, 0}, q[12:at]...)
	return append(b, records...)
}

func (ns *nameServer) add(name string, addrs ...string) {
	if ns.records == nil {
		ns.records = map[string][][]byte{}
	}
	for _, a := range addrs {
		ip, qtype := netip.MustParseAddr(a), uint16(typeA)
		if ip.Is6() {
			qtype = typeAAAA
		}
		ns.records[key(name, qtype)] = append(ns.records[key(name, qtype)], ip.AsSlice())
	}
}

// service adds an SRV record (RFC 2782).
func (ns *nameServer) service(name, target string, priority, port uint16) {
	data := binary.BigEndian.AppendUint16(nil, priority)
	data = binary.BigEndian.AppendUint16(append(data, 0, 0), port)
	for label := range strings.SplitSeq(target, ".") {
		data = append(append(data, byte(len(label))), label...)
	}
	k := key("_sip._udp."+name, typeSRV)
	ns.records[k] = append(ns.records[k], append(data, 0))
}

// resolver asks ns, which it starts, until the test ends.
func (ns *nameServer) resolver(t *testing.T) *transport.Resolver {
	ns.serve(t)
	r := &transport.Resolver{}
	r.AskAt(ns.addr)
	return r
}

func lookUp(t *testing.T, r *transport.Resolver, uri string) (addrs []string, took time.Duration, err error) {
	t.Helper()
	u, err := sip.ParseURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	targets, err := r.Lookup(t.Context(), u)
	for _, target := range targets {
		if target.Host != u.Host || target.Proto != transport.ProtoOf(u) {
			t.Errorf("target %+v", target)
		}
		addrs = append(addrs, target.Addr.String())
	}
	return addrs, time.Since(start), err
}

// TestLookup asks name servers that say nothing about one kind of record, or about many, as cheap routers do.
func TestLookup(t *testing.T) {
	silent := func(types ...uint16) func(string, uint16) bool {
		return func(_ string, qtype uint16) bool { return slices.Contains(types, qtype) }
	}
	for name, c := range map[string]struct {
		uri  string
		ns   func(*nameServer)
		deaf func(string, uint16) bool
		want []string
	}{
		"A alone": {"sip:pbx.test", func(ns *nameServer) { ns.add("pbx.test", "192.0.2.1") }, nil,
			[]string{"192.0.2.1:5060"}},
		"AAAA alone": {"sip:pbx.test", func(ns *nameServer) { ns.add("pbx.test", "2001:db8::1") }, nil,
			[]string{"[2001:db8::1]:5060"}},
		"both": {"sip:pbx.test:5080", func(ns *nameServer) {
			ns.add("pbx.test", "192.0.2.1", "2001:db8::1", "fd00::1")
		}, nil, []string{"[2001:db8::1]:5080", "192.0.2.1:5080", "[fd00::1]:5080"}},
		"AAAA dropped": {"sip:pbx.test:5080", func(ns *nameServer) { ns.add("pbx.test", "192.0.2.1") },
			silent(typeAAAA), []string{"192.0.2.1:5080"}},
		"A dropped": {"sip:pbx.test:5080", func(ns *nameServer) { ns.add("pbx.test", "fd00::1") },
			silent(typeA), []string{"[fd00::1]:5080"}},
		"SRV and AAAA dropped": {"sip:pbx.test", func(ns *nameServer) { ns.add("pbx.test", "192.0.2.1") },
			silent(typeSRV, typeAAAA), []string{"192.0.2.1:5060"}},
		"servers": {"sip:pbx.test", func(ns *nameServer) {
			ns.add("pbx.test", "192.0.2.1")
			ns.add("one.test", "192.0.2.8")
			ns.add("two.test", "192.0.2.9")
			ns.service("pbx.test", "two.test", 20, 5062)
			ns.service("pbx.test", "one.test", 10, 5061)
		}, silent(typeAAAA), []string{"192.0.2.8:5061", "192.0.2.9:5062"}},
		"servers that are not found": {"sip:pbx.test", func(ns *nameServer) {
			ns.add("pbx.test", "192.0.2.1")
			ns.service("pbx.test", "one.test", 10, 5061)
		}, nil, []string{"192.0.2.1:5060"}},
	} {
		t.Run(name, func(t *testing.T) {
			ns := &nameServer{deaf: c.deaf}
			c.ns(ns)
			addrs, took, err := lookUp(t, ns.resolver(t), c.uri)
			if err != nil || !slices.Equal(addrs, c.want) {
				t.Errorf("found %v, %v; want %v", addrs, err, c.want)
			}
			if took >= time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestLookupNone tells that there is no such name.
func TestLookupNone(t *testing.T) {
	ns := &nameServer{}
	addrs, took, err := lookUp(t, ns.resolver(t), "sip:pbx.test")
	var notFound *net.DNSError
	if len(addrs) > 0 || !errors.As(err, &notFound) || took >= time.Second {
		t.Errorf("found %v, %v in %v", addrs, err, took)
	}
}

// TestStaleNames lets a name lead where it led while it cannot be found, and to its new address when it can.
func TestStaleNames(t *testing.T) {
	ns := &nameServer{}
	ns.add("pbx.test", "192.0.2.1")
	ns.service("pbx.test", "pbx.test", 10, 5070)
	var log strings.Builder
	r := ns.resolver(t)
	r.Log = slog.New(slog.NewTextHandler(&log, nil))
	want := func(addr string) {
		t.Helper()
		if addrs, _, err := lookUp(t, r, "sip:pbx.test"); err != nil || !slices.Equal(addrs, []string{addr}) {
			t.Errorf("found %v, %v; want %s", addrs, err, addr)
		}
	}
	want("192.0.2.1:5070")
	// questions for SRV records get lost: the port is still the server's
	ns.set(func(ns *nameServer) { ns.deaf = func(_ string, qtype uint16) bool { return qtype == typeSRV } })
	want("192.0.2.1:5070")
	ns.set(func(ns *nameServer) { ns.deaf, ns.records = nil, nil })
	want("192.0.2.1:5070")
	want("192.0.2.1:5070")
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, log.String())
	}
	ns.set(func(ns *nameServer) { ns.add("pbx.test", "192.0.2.2") })
	want("192.0.2.2:5060")
}

// TestLinkNames finds a name in .local by multicast DNS, in whatever case, and by name servers where these
// have it.
func TestLinkNames(t *testing.T) {
	ns, link := &nameServer{}, &nameServer{}
	link.add("pbx.local", "192.0.2.7", "fd00::7", "fe80::7")
	link.serve(t)
	r := ns.resolver(t)
	r.AskLinkAt(link.addr)
	for _, uri := range []string{"sip:pbx.local", "sip:pbx.local."} {
		addrs, took, err := lookUp(t, r, uri)
		if err != nil || !slices.Equal(addrs, []string{"192.0.2.7:5060", "[fd00::7]:5060"}) ||
			took >= time.Second {
			t.Errorf("found %v, %v in %v", addrs, err, took)
		}
	}
	isSRV := func(q string) bool { return strings.HasSuffix(q, fmt.Sprint(" ", typeSRV)) }
	ns.set(func(ns *nameServer) {
		if slices.ContainsFunc(ns.asked, isSRV) {
			t.Errorf("asked for %v", ns.asked)
		}
	})
	ns.set(func(ns *nameServer) { ns.add("work.local", "192.0.2.3") })
	link.set(func(ns *nameServer) { ns.deaf = func(string, uint16) bool { return true } })
	if addrs, took, err := lookUp(t, r, "sip:work.local"); err != nil ||
		!slices.Equal(addrs, []string{"192.0.2.3:5060"}) || took >= time.Second {
		t.Errorf("found %v, %v in %v", addrs, err, took)
	}
}

// TestLinkAnswer reads byte for byte (RFC 1035 §4.1), and survives every short prefix.
func TestLinkAnswer(t *testing.T) {
	msg := []byte{
		0x12, 0x34, 0x84, 0, 0, 1, 0, 3, 0, 0, 0, 1,
		3, 'p', 'b', 'x', 5, 'l', 'o', 'c', 'a', 'l', 0, 0, 1, 0, 1, // question at 12
		0xc0, 12, 0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 1, // cache flush bit
		3, 'P', 'B', 'X', 0xc0, 16, 0, 1, 0, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 2,
		5, 'o', 't', 'h', 'e', 'r', 0xc0, 16, 0, 1, 0, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 66,
		0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 120, 0, 16, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	}
	want := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"),
		netip.MustParseAddr("fd00::1")}
	if got := transport.LinkAnswer(msg, 0x1234, "pbx.local"); !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	for n := range msg {
		for _, a := range transport.LinkAnswer(msg[:n], 0x1234, "pbx.local") {
			if !slices.Contains(want, a) {
				t.Errorf("%d octets: read %v", n, a)
			}
		}
	}
	loop := slices.Clone(msg)
	loop[12], loop[13] = 0xc0, 12
	if got := transport.LinkAnswer(loop, 0x1234, "pbx.local"); got != nil {
		t.Errorf("a name that names itself: %v", got)
	}
	if got := transport.LinkAnswer(msg, 0x4321, "pbx.local"); got != nil {
		t.Errorf("the answer to another question: %v", got)
	}
	query := slices.Clone(msg)
	query[2] = 0
	if got := transport.LinkAnswer(query, 0x1234, "pbx.local"); got != nil {
		t.Errorf("a query: %v", got)
	}
}

func FuzzLinkAnswer(f *testing.F) {
	f.Add([]byte{0x12, 0x34, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0,
		0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) { transport.LinkAnswer(b, 0x1234, "pbx.local") })
}
