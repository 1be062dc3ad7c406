package rtp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// udpConn is a raw non-blocking UDP socket. It stays out of the runtime's poller, which would wake a
// goroutine for each packet: the engine reads it once per period.
type udpConn struct {
	mu    sync.Mutex // guards fd against Close
	fd    int
	six   bool
	local netip.AddrPort

	// Filled in by the kernel; kept here so that a call allocates nothing.
	msg     unix.Msghdr
	iov     unix.Iovec
	name    unix.RawSockaddrInet6
	control [64]byte

	to     netip.AddrPort // destination that toName holds
	toName unix.RawSockaddrInet6
	toLen  uintptr

	refused unix.Errno // by ICMP, to be told

	zone     string // text of the last IPv6 scope seen
	zoneFrom uint32
}

// The port range of Listen when none is given: below Linux's ephemeral ports.
const (
	defaultPortMin = 16384
	defaultPortMax = 32766
)

// Listen binds an even port for RTP and the odd one above it for RTCP (RFC 3550, 11), at a random place in
// portMin to portMax (both 0: 16384 to 32766). The local address is of IPv4 or IPv6; the unspecified
// address binds all of its family. RTP is sent with DSCP EF (RFC 4594). The error of a range without a free
// pair is that of the last attempt.
func Listen(addr netip.Addr, portMin, portMax int) (rtp, rtcp PacketConn, err error) {
	if portMin == 0 && portMax == 0 {
		portMin, portMax = defaultPortMin, defaultPortMax
	}
	first := (portMin + 1) &^ 1
	pairs := (portMax - first + 1) / 2
	if !addr.IsValid() || portMin < 1 || portMax > 65535 || pairs < 1 {
		return nil, nil, fmt.Errorf("rtp: listen on %s ports %d to %d: no pair of an even and an odd port",
			addr, portMin, portMax)
	}
	start := rand.IntN(pairs)
	for i := range pairs {
		port := uint16(first + 2*((start+i)%pairs))
		var a, b *udpConn
		if a, err = listenUDP(netip.AddrPortFrom(addr, port)); err == nil {
			if b, err = listenUDP(netip.AddrPortFrom(addr, port+1)); err == nil {
				return a, b, nil
			}
			a.Close()
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	return nil, nil, fmt.Errorf("rtp: listen on %s ports %d to %d: %w", addr, portMin, portMax, err)
}

func listenUDP(local netip.AddrPort) (*udpConn, error) {
	addr := local.Addr().Unmap()
	c := &udpConn{fd: -1, six: addr.Is6()}
	family := unix.AF_INET
	if c.six {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	var sa unix.Sockaddr
	if c.six {
		id, err := zoneIndex(addr.Zone())
		if err != nil {
			unix.Close(fd)
			return nil, err
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, dscpEF)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
		sa = &unix.SockaddrInet6{Port: int(local.Port()), Addr: addr.As16(), ZoneId: id}
	} else {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, dscpEF)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1) // see refusal
		sa = &unix.SockaddrInet4{Port: int(local.Port()), Addr: addr.As4()}
	}
	// Without it, arrival is the moment of reading.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	if err := unix.Bind(fd, sa); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	c.fd = fd
	c.local = netip.AddrPortFrom(addr, local.Port())
	if local.Port() == 0 {
		if sa, err = unix.Getsockname(fd); err == nil {
			switch sa := sa.(type) {
			case *unix.SockaddrInet4:
				c.local = netip.AddrPortFrom(addr, uint16(sa.Port))
			case *unix.SockaddrInet6:
				c.local = netip.AddrPortFrom(addr, uint16(sa.Port))
			}
		}
	}
	c.msg = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&c.name)), Iov: &c.iov, Control: &c.control[0]}
	c.msg.SetIovlen(1)
	return c, nil
}

const dscpEF = 46 << 2

func zoneIndex(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if ifi, err := net.InterfaceByName(zone); err == nil {
		return uint32(ifi.Index), nil
	}
	n, err := strconv.ParseUint(zone, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("rtp: no interface %q", zone)
	}
	return uint32(n), nil
}

func (c *udpConn) ReadPacket(b []byte) (n int, from netip.AddrPort, at time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 {
		return 0, netip.AddrPort{}, 0, net.ErrClosed
	}
	if len(b) == 0 {
		return 0, netip.AddrPort{}, 0, nil
	}
	for {
		c.iov.Base = &b[0]
		c.iov.SetLen(len(b))
		c.msg.Namelen = unix.SizeofSockaddrInet6
		c.msg.SetControllen(len(c.control))
		r, _, errno := unix.Syscall(unix.SYS_RECVMSG,
			uintptr(c.fd), uintptr(unsafe.Pointer(&c.msg)), unix.MSG_DONTWAIT)
		c.iov.Base = nil
		switch errno {
		case 0:
		case unix.EAGAIN:
			return 0, netip.AddrPort{}, 0, nil
		case unix.EINTR:
			continue
		default:
			if c.refusal(errno) {
				continue
			}
			return 0, netip.AddrPort{}, 0, os.NewSyscallError("recvmsg", errno)
		}
		return int(r), c.source(), c.arrival(), nil
	}
}

func (c *udpConn) source() netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&c.name.Port))[:])
	if !c.six {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&c.name))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), port)
	}
	addr := netip.AddrFrom16(c.name.Addr)
	if c.name.Scope_id != 0 {
		if c.name.Scope_id != c.zoneFrom {
			c.zoneFrom, c.zone = c.name.Scope_id, strconv.Itoa(int(c.name.Scope_id))
			if ifi, err := net.InterfaceByIndex(int(c.zoneFrom)); err == nil {
				c.zone = ifi.Name
			}
		}
		addr = addr.WithZone(c.zone)
	}
	return netip.AddrPortFrom(addr, port)
}

// arrival carries the kernel's wall-clock stamp over to the monotonic clock by the packet's age, so that a
// step of the wall clock spoils at most the packets that wait at that moment.
func (c *udpConn) arrival() time.Duration {
	now := Monotonic()
	if int(c.msg.Controllen) < unix.CmsgSpace(int(unsafe.Sizeof(unix.Timespec{}))) {
		return now
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&c.control[0]))
	if h.Level != unix.SOL_SOCKET || h.Type != unix.SCM_TIMESTAMPNS {
		return now
	}
	var stamp unix.Timespec
	copy((*[unsafe.Sizeof(stamp)]byte)(unsafe.Pointer(&stamp))[:], c.control[unix.CmsgLen(0):])
	if age := time.Since(time.Unix(stamp.Unix())); age > 0 && age < 10*time.Second {
		return now - age
	}
	return now
}

func (c *udpConn) WritePacket(b []byte, to netip.AddrPort) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 {
		return net.ErrClosed
	}
	if len(b) == 0 {
		return nil
	}
	if to != c.to {
		if err := c.aim(to); err != nil {
			return err
		}
	}
	for {
		_, _, errno := unix.Syscall6(unix.SYS_SENDTO,
			uintptr(c.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(unsafe.Pointer(&c.toName)), c.toLen)
		switch errno {
		case 0, unix.EAGAIN, unix.ENOBUFS:
			if errno, c.refused = c.refused, 0; errno != 0 {
				return os.NewSyscallError("sendto", errno)
			}
			return nil
		case unix.EINTR:
			continue
		}
		if c.refusal(errno) {
			continue
		}
		return os.NewSyscallError("sendto", errno)
	}
}

// refusal takes an error that ICMP has brought: with IP_RECVERR the next call of any kind returns it in place of
// what it should do, and its message waits in a queue that counts towards the socket's buffer. It reports whether
// there was one.
func (c *udpConn) refusal(errno unix.Errno) (found bool) {
	var b, control [256]byte
	for range 64 {
		if _, _, _, _, err := unix.Recvmsg(c.fd, b[:], control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT); err != nil {
			break
		}
		found, c.refused = true, errno
	}
	return found
}

// aim encodes a destination; it changes at most a few times in a call.
func (c *udpConn) aim(to netip.AddrPort) error {
	addr := to.Addr().Unmap()
	if !addr.IsValid() || to.Port() == 0 || addr.Is6() != c.six {
		return fmt.Errorf("rtp: send to %s from %s: %w", to, c.local, unix.EAFNOSUPPORT)
	}
	c.toName = unix.RawSockaddrInet6{}
	if c.six {
		id, err := zoneIndex(addr.Zone())
		if err != nil {
			return err
		}
		c.toName.Family, c.toName.Addr, c.toName.Scope_id = unix.AF_INET6, addr.As16(), id
		c.toLen = unix.SizeofSockaddrInet6
	} else {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&c.toName))
		four.Family, four.Addr = unix.AF_INET, addr.As4()
		c.toLen = unix.SizeofSockaddrInet4
	}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&c.toName.Port))[:], to.Port())
	c.to = to
	return nil
}

func (c *udpConn) LocalAddr() netip.AddrPort { return c.local }

func (c *udpConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 {
		return nil
	}
	err := unix.Close(c.fd)
	c.fd = -1
	return os.NewSyscallError("close", err)
}
