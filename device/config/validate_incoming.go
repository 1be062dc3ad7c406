package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

func (d *document) incoming(c *Config) {
	for i := range c.Incoming.Allow {
		a := &c.Incoming.Allow[i]
		at := fmt.Sprintf("incoming.allow[%d].", i)
		d.from(c, at+"from", a)

		source, err := ParseSource(a.Source)
		switch {
		case a.Source == "":
			d.fault(at+"source", "", "missing: a caller's name alone is easily forged",
				`write source = "account:NAME", "server" or the caller's IP address`)
		case err != nil:
			remedy := `write "account:NAME", "server", an IP address or a network like "192.168.1.0/24"`
			if meant := c.sourceMeant(a.Source); meant != "" {
				remedy = fmt.Sprintf("write %q", meant)
			}
			d.fault(at+"source", a.Source, "not a source", remedy)
		case source.Account != "" && c.Account(source.Account) == nil:
			remedy := "define it first"
			if known := names(c.Accounts, func(a Account) string { return "account:" + a.Name }); len(known) > 0 {
				remedy = d.suggest(a.Source, known)
			}
			d.fault(at+"source", a.Source, "no such account", remedy)
		case source.Server && !c.ServerOn():
			d.fault(at+"source", a.Source, "the built-in server is off", `write enabled = "on" under [server]`)
		case source.Net.IsValid() && source.Net.Bits() < source.Net.Addr().BitLen()/4:
			d.fault(at+"source", a.Source, "a network as large as this protects from nobody", "write the caller's address or home network")
		case source.Net.IsValid() && a.MayOpen:
			d.warn(at+"may_open", a.MayOpen, "a caller known by address only may open doors, with a code",
				`a password is safer: source = "server" or "account:NAME"`)
		}
	}
}

// from checks the address of a caller. "*" is a key of the telephone (**610 is one in a FRITZ!Box), and
// stands for itself.
func (d *document) from(c *Config, key string, a *Allow) {
	users := names(c.Server.Users, func(u ServerUser) string { return u.Name })
	switch {
	case a.From == "":
		d.fault(key, "", "missing", `write from = "sip:61@fritz.box", or a user of the built-in server: "kitchen"`)
	case ExactCaller(a.From, a.Source):
		if !strings.Contains(a.From, ":") && !slices.Contains(users, a.From) {
			d.fault(key, a.From, "no such user of the built-in server", d.suggest(a.From, users))
		}
		user, _, _ := strings.Cut(strings.TrimPrefix(a.From, "sip:"), "@")
		if strings.Contains(strings.TrimLeft(user, "*"), "*") || strings.Trim(user, "*") == "" {
			d.warn(key, a.From, "there are no wildcards: * is the key of that name", "add an [[incoming.allow]] for each caller")
		}
	default:
		problem, remedy := "not an exact caller", `write "sip:user@host" without port and parameters`
		if meant := c.fromMeant(a); meant != "" {
			remedy = fmt.Sprintf("write %q, which is how a caller is named here", meant)
		} else if strings.ContainsAny(a.From, "*?") {
			problem, remedy = "there are no wildcards", "add an [[incoming.allow]] for each caller"
		}
		if slices.Contains(users, a.From) {
			remedy += `; a user of the built-in server goes by its name alone with source = "server"`
		}
		d.fault(key, a.From, problem, remedy)
	}
}

// ExactCaller reports whether an [[incoming.allow]] may name a caller so: "sip:user@host", or a user of the
// built-in server by its name.
func ExactCaller(from, source string) bool {
	if source == "server" && userName(from) {
		return true
	}
	u, ok := splitURI(from)
	return ok && u.user != "" && u.port == "" && u.params == "" && validHost(u.host)
}

// fromMeant is the exact caller that somebody means who has written a number, a name or another form of the
// address; "" where that cannot be told.
func (c *Config) fromMeant(a *Allow) string {
	text := a.From
	if _, inner, ok := strings.Cut(text, "<"); ok { // "Anna" <sip:anna@example.org>
		text, _, _ = strings.Cut(inner, ">")
	}
	for _, s := range []string{"sip:", "sips:", "tel:"} {
		text = strings.TrimPrefix(text, s)
	}
	user, host, ok := strings.Cut(text, "@")
	if !ok {
		host = c.callersDomain(a, user)
	} else if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		host = "[" + host + "]"
	}
	u, ok := splitURI("sip:" + user + "@" + host)
	if !ok || u.user == "" || !validHost(u.host) {
		return ""
	}
	return "sip:" + u.user + "@" + u.host
}

// callersDomain is what stands behind the @ of a caller who is known by number or name: that of the account
// it calls through, or the built-in server's; "" where there is neither.
func (c *Config) callersDomain(a *Allow, user string) string {
	source, _ := ParseSource(a.Source)
	isUser := slices.ContainsFunc(c.Server.Users, func(u ServerUser) bool { return u.Name == user })
	account := c.Account(source.Account)
	switch {
	case source.Account == "" && c.ServerOn() && (isUser || source.Server || account == nil):
		if c.Server.Domain != "" {
			return c.Server.Domain
		}
		return LocalDomain
	case account != nil:
		return account.domain()
	}
	return ""
}

// sourceMeant finds the source that somebody means who has named an account, its server, a user or an address
// with more than that.
func (c *Config) sourceMeant(text string) string {
	for _, a := range c.Accounts {
		if text == a.Name || strings.EqualFold(text, a.domain()) || text == a.Server {
			return "account:" + a.Name
		}
	}
	if strings.EqualFold(text, "server") || slices.ContainsFunc(c.Server.Users, func(u ServerUser) bool { return u.Name == text }) {
		return "server"
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if at, portErr := netip.ParseAddrPort(text); portErr == nil {
		addr, err = at.Addr(), nil
	}
	if err != nil || addr.Zone() != "" {
		return ""
	}
	return addr.String()
}
