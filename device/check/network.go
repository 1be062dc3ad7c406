package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"portero/device/config"
	"portero/sip"
)

// named is a host of the file, and where it stands there.
type named struct {
	key, value string
	uri        sip.URI
	account    int // of the file; -1: none
	err        error
}

// Network looks for every host that the file names, and asks about every account.
func (c *Checker) Network(ctx context.Context) config.Faults {
	faults := c.uses()
	hosts := c.hosts()
	var all sync.WaitGroup
	for i := range hosts {
		all.Go(func() { _, hosts[i].err = c.Lookup(ctx, hosts[i].uri) })
	}
	all.Wait()
	lost := map[int]bool{} // accounts whose server is not found
	for _, h := range hosts {
		if h.err == nil {
			continue
		}
		problem, remedy := notFound(h.uri.Host, h.err)
		faults = append(faults, c.fault(config.Error, h.key, h.value, problem, remedy))
		if h.account >= 0 {
			lost[h.account] = true
		}
	}
	return append(faults, c.accounts(ctx, lost)...)
}

// hosts are those that the station sends to: the servers of accounts, and the targets that it calls directly.
func (c *Checker) hosts() (list []named) {
	for i := range c.cfg.Accounts {
		a := &c.cfg.Accounts[i]
		h := named{key: fmt.Sprintf("account[%d].server", i), value: a.Server, account: i}
		if a.OutboundProxy != "" {
			h.key, h.value = fmt.Sprintf("account[%d].outbound_proxy", i), a.OutboundProxy
		}
		if uri, err := sip.ParseURI("sip:" + h.value); err == nil {
			h.uri = uri
			list = append(list, h)
		}
	}
	seen := map[string]bool{}
	for i := range c.cfg.Bells {
		b := &c.cfg.Bells[i]
		for j, text := range b.Targets {
			t, err := c.cfg.Target(b, text)
			if err != nil || t.Local || t.Account != "" {
				continue
			}
			uri, err := sip.ParseURI(t.URI)
			if at := fmt.Sprint(strings.ToLower(uri.Host), uri.Port); err == nil && !seen[at] {
				seen[at] = true
				list = append(list, named{fmt.Sprintf("bell[%d].targets[%d]", i, j), text, uri, -1, nil})
			}
		}
	}
	return list
}

// notFound says why a name leads nowhere.
func notFound(host string, err error) (problem, remedy string) {
	var dns *net.DNSError
	switch {
	case strings.HasSuffix(strings.ToLower(strings.TrimSuffix(host, ".")), ".local"):
		return "nobody on the network answers to this name", "is it switched on, and in the same network? Else write its address"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host", "correct the name, or write its address"
	}
	return "not found: " + err.Error(), "has this machine a network, and a name server in /etc/resolv.conf?"
}

// uses says which configuration the running station has.
func (c *Checker) uses() config.Faults {
	s := c.running
	if s == nil {
		return nil
	}
	since := "the station runs since " + s.Since.Format("2006-01-02 15:04:05")
	switch {
	case s.StandIn != nil:
		return config.Faults{c.fault(config.Warning, "", "", since+" with another configuration: "+s.StandIn.String(),
			"correct that; it takes the file by itself")}
	case !c.current():
		return config.Faults{c.fault(config.Info, "", "", since+" with another file, or with this one as it was then",
			"sudo systemctl reload portero takes "+s.File)}
	}
	return config.Faults{c.fault(config.Info, "", "", since+" with this file", "")}
}

// current reports whether the running station has this very file.
func (c *Checker) current() bool {
	return c.running != nil && c.running.StandIn == nil && c.running.Digest == c.cfg.Digest()
}
