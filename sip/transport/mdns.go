package transport

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Names in .local are asked for on the link (RFC 6762 §5.1): one question from a port of our own, answered
// by the host itself to that port. It is written out here because it is two messages of RFC 1035 §4:
// libraries for it keep caches, browse services and answer for names.

// isLocal reports whether a name is one of multicast DNS (RFC 6762 §3).
func isLocal(host string) bool {
	return strings.HasSuffix(strings.ToLower(strings.TrimSuffix(host, ".")), ".local")
}

// Types and the class of records (RFC 1035 §3.2, RFC 3596 §2.1).
const (
	typeA    = 1
	typeAAAA = 28
	classIN  = 1
)

const linkRepeat = time.Second // RFC 6762 §5.2: at least one second between copies of a question

// group is where a link is asked: from the address of an interface to its multicast group.
type group struct{ from, to *net.UDPAddr }

// linkGroups returns the groups of all interfaces that are up.
func linkGroups() (list []group) {
	ifis, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, ifi := range ifis {
		if ifi.Flags&net.FlagUp == 0 || ifi.Flags&net.FlagMulticast == 0 {
			continue
		}
		addrs, _ := ifi.Addrs()
		for _, a := range addrs {
			ip, _ := a.(*net.IPNet)
			switch {
			case ip == nil:
			case ip.IP.To4() != nil: // the kernel sends it by the interface that has the address
				list = append(list, group{&net.UDPAddr{IP: ip.IP}, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251),
					Port: 5353}})
			case ip.IP.IsLinkLocalUnicast():
				list = append(list, group{&net.UDPAddr{IP: ip.IP, Zone: ifi.Name},
					&net.UDPAddr{IP: net.ParseIP("ff02::fb"), Port: 5353, Zone: ifi.Name}})
			}
		}
	}
	return list
}

// askLink asks all links for the addresses of a name in .local, until one answers or ctx ends.
func (r *Resolver) askLink(ctx context.Context, host string) ([]netip.Addr, error) {
	id := uint16(rand.Uint32())
	query, err := linkQuestion(id, host)
	if err != nil {
		return nil, err
	}
	groups := r.groups
	if groups == nil {
		groups = linkGroups
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan []netip.Addr, 1)
	asked := 0
	for _, g := range groups() {
		conn, err := net.ListenUDP("udp", g.from)
		if err != nil {
			continue
		}
		asked++
		context.AfterFunc(ctx, func() { conn.Close() })
		go repeatQuestion(ctx, conn, g.to, query)
		go readAnswer(conn, g.to.Port, id, host, answers)
	}
	if asked == 0 {
		return nil, fmt.Errorf("transport: ask for %q: no link to ask on", host)
	}
	select {
	case addrs := <-answers:
		return addrs, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("transport: ask for %q on the link: %w", host, ctx.Err())
	}
}

func repeatQuestion(ctx context.Context, conn *net.UDPConn, to *net.UDPAddr, query []byte) {
	for wait := linkRepeat; ; wait *= 2 {
		conn.WriteToUDP(query, to)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// readAnswer reads until an answer has come or conn is closed. Answers come from the port of multicast DNS
// (RFC 6762 §6).
func readAnswer(conn *net.UDPConn, port int, id uint16, host string, answers chan<- []netip.Addr) {
	buf := make([]byte, 9000) // RFC 6762 §17
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if int(from.Port()) != port {
			continue
		}
		if addrs := linkAnswer(buf[:n], id, host); len(addrs) > 0 {
			select {
			case answers <- addrs:
			default:
			}
			return
		}
	}
}

// linkQuestion writes the question for the A and AAAA records of host (RFC 1035 §4.1).
func linkQuestion(id uint16, host string) ([]byte, error) {
	var name []byte
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 {
			return nil, fmt.Errorf("transport: ask for %q: not a name", host)
		}
		name = append(append(name, byte(len(label))), label...)
	}
	if name = append(name, 0); len(name) > 255 {
		return nil, fmt.Errorf("transport: ask for %q: name too long", host)
	}
	b := binary.BigEndian.AppendUint16(nil, id)
	b = append(b, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0) // a query with two questions
	for _, t := range []byte{typeA, typeAAAA} {
		b = append(append(b, name...), 0, t, 0, classIN)
	}
	return b, nil
}

// linkAnswer reads the addresses of host from a response (RFC 1035 §4.1), nil from anything else. Addresses
// that need a zone are left out: every host that has one has another.
func linkAnswer(b []byte, id uint16, host string) (addrs []netip.Addr) {
	if len(b) < 12 || binary.BigEndian.Uint16(b) != id || b[2]&0x80 == 0 || b[3]&0x0f != 0 {
		return nil
	}
	count := func(at int) int { return int(binary.BigEndian.Uint16(b[at:])) }
	at := 12
	for range count(4) {
		_, end, ok := readName(b, at)
		if !ok {
			return nil
		}
		at = end + 4
	}
	host = strings.TrimSuffix(host, ".") + "."
	for range count(6) + count(8) + count(10) {
		name, end, ok := readName(b, at)
		if !ok || end+10 > len(b) {
			break
		}
		kind, class := count(end), count(end+2)&0x7fff // its first bit flushes caches (RFC 6762 §10.2)
		data := end + 10
		if at = data + count(end+8); at > len(b) {
			break
		}
		addr, ok := netip.AddrFromSlice(b[data:at])
		if ok && class == classIN && strings.EqualFold(name, host) && !addr.IsLinkLocalUnicast() &&
			(kind == typeA && addr.Is4() || kind == typeAAAA && addr.Is6()) {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// readName reads a name, perhaps compressed (RFC 1035 §4.1.4), and returns it with what follows it.
func readName(b []byte, at int) (name string, end int, ok bool) {
	var s strings.Builder
	for jumps := 0; at < len(b) && s.Len() <= 255; {
		n := int(b[at])
		switch {
		case n == 0:
			if end == 0 {
				end = at + 1
			}
			return s.String(), end, true
		case n >= 0xc0:
			if jumps++; at+2 > len(b) || jumps > 16 {
				return "", 0, false
			}
			if end == 0 {
				end = at + 2
			}
			at = (n&0x3f)<<8 | int(b[at+1])
		case n > 63 || at+1+n > len(b):
			return "", 0, false
		default:
			s.Write(b[at+1 : at+1+n])
			s.WriteByte('.')
			at += 1 + n
		}
	}
	return "", 0, false
}
