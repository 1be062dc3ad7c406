package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"portero/device"
	"portero/device/config"
	"portero/sip/registrar"
	"portero/sip/transaction"
)

// inUse adds the remedy to the commonest fault of all.
func inUse(err error, key string) error {
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; another program holds the port (perhaps a second portero): stop it or change %s", err, key)
	}
	return err
}

// addServer makes the built-in registrar and proxy on a stack and port of its own, with a user for the
// station itself.
func (a *App) addServer() (*device.BuiltIn, error) {
	udp, err := a.options.ListenSIP(a.Config.Server.Listen)
	if err != nil {
		return nil, inUse(err, "server.listen")
	}
	a.closers = append(a.closers, udp)
	self := &device.BuiltIn{User: config.StationUser, Password: rand.Text(), Locate: func() (netip.AddrPort, error) { return reachable(udp.Addr()), nil }}
	domain := a.Config.Server.Domain
	if domain == "" {
		domain = config.LocalDomain
	}
	self.At = func(user string, host netip.Addr) bool { return a.Users.At(user, host) }
	self.Absent = func(user string) time.Time { return a.Users.Absent(user) }
	a.locate = self.Locate
	users := []registrar.User{{Name: self.User, Password: self.Password}}
	for _, u := range a.Config.Server.Users {
		password := string(u.Password)
		if password == "" {
			password = rand.Text() // nobody's: it can be called, and is not there
		}
		users = append(users, registrar.User{Name: u.Name, Password: password})
	}
	a.Users, err = registrar.New(registrar.Config{Domains: []string{domain, config.LocalDomain}, Hosts: hostNames(), Realm: domain,
		Users: users, Bell: self.User, Log: a.log,
		MaxExpires: phonesReturn, DefaultExpires: phonesReturn, AskEvery: askPhones})
	if err != nil {
		return nil, err
	}
	a.server = transaction.NewStack(transaction.Config{Log: a.log, Trace: a.options.Trace}, a.Users, udp) // a proxy does not sign what others say
	return self, nil
}

// hostNames are what phones of the house may call this machine by, each alone or with a domain behind it: its own
// name, and the one that a Raspberry Pi had before its owner gave it another.
func hostNames() []string {
	names := []string{"localhost", "raspberrypi"}
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	return names
}

// findPhones has the server know who was registered with the one before: in this process, or in the one
// before it.
func (a *App) findPhones() {
	a.phones = keepPhones(a.Users, a.Config.Station.DataDir, a.log, a.Station.PhonesChanged)
	if a.options.users != nil {
		a.Users.Restore(a.options.users)
	} else {
		a.phones.Load()
	}
}

// phonesReturn is how long a registration at the built-in server lasts, and so how long a bell may ring
// nobody where the network has changed during a power cut.
const phonesReturn = 2 * time.Minute

// askPhones is about how often the built-in server asks a phone whether it is there: every 60 to 120 s.
const askPhones = 90 * time.Second

// reachable turns a wildcard address into the one that the default route leaves from; without such a route,
// as in a house network without a router, into the first of an interface; and into loopback without a
// network.
func reachable(a netip.AddrPort) netip.AddrPort {
	if !a.Addr().IsUnspecified() {
		return a
	}
	for _, probe := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} { // documentation addresses: a UDP dial sends nothing
		if c, err := net.Dial("udp", probe); err == nil {
			local := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
			c.Close()
			return netip.AddrPortFrom(local, a.Port())
		}
	}
	addrs, _ := net.InterfaceAddrs() // an error leaves none
	return netip.AddrPortFrom(outward(addrs), a.Port())
}

// outward is the first IPv4 address, else the first IPv6 one, that other machines can send to; loopback if
// there is none.
func outward(addrs []net.Addr) netip.Addr {
	found := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		addr := p.Addr().Unmap()
		switch {
		case err != nil || !addr.IsGlobalUnicast():
		case addr.Is4():
			return addr
		case found.IsLoopback():
			found = addr
		}
	}
	return found
}
