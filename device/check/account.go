package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"portero/device"
	"portero/device/config"
	"portero/sip/transaction"
	"portero/sip/ua"
)

// askWithin is more than a question takes: a look-up, and two addresses that say nothing.
const askWithin = 20 * time.Second

// accounts says how each stands, but for those whose server is not found.
func (c *Checker) accounts(ctx context.Context, lost map[int]bool) (faults config.Faults) {
	var ask []int
	for i := range c.cfg.Accounts {
		a := &c.cfg.Accounts[i]
		switch standing := c.standing(a.Name); {
		case lost[i]:
		case !a.Register:
			faults = append(faults, c.account(i, config.Info, "not asked, as it is not to be registered (register = false)", ""))
		case standing != nil:
			faults = append(faults, c.stands(i, standing))
		default:
			ask = append(ask, i)
		}
	}
	if len(ask) > 0 {
		faults = append(faults, c.ask(ctx, ask)...)
	}
	return faults
}

// account is a finding about an account; it is marked by its key and name.
func (c *Checker) account(i int, s config.Severity, problem, remedy string) config.Fault {
	return c.fault(s, fmt.Sprintf("account[%d]", i), c.cfg.Accounts[i].Name, problem, remedy)
}

// standing is how the running station is registered with an account of this file; nil: it cannot be asked, or
// has not this file.
func (c *Checker) standing(name string) *device.Account {
	if !c.current() {
		return nil
	}
	i := slices.IndexFunc(c.running.Accounts, func(a device.Account) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	return &c.running.Accounts[i]
}

func (c *Checker) stands(i int, a *device.Account) config.Fault {
	since := a.Since.Format("2006-01-02 15:04:05")
	if a.Registered {
		return c.account(i, config.Info, "the running station is registered since "+since, "")
	}
	return c.account(i, config.Error, fmt.Sprintf("the running station is not registered since %s: %s", since, a.Reason), ua.LookThere)
}

// ask puts one question about each of the accounts, all at once, from a port of its own.
func (c *Checker) ask(ctx context.Context, accounts []int) config.Faults {
	failed := func(err error) config.Faults {
		return config.Faults{c.fault(config.Error, "", "", "accounts not asked about: "+err.Error(), "")}
	}
	phone, err := device.NewPhone(c.cfg, nil, c.log)
	if err != nil {
		return failed(err)
	}
	host, _, _ := net.SplitHostPort(c.cfg.SIP.Listen)
	wire, err := c.ListenSIP(net.JoinHostPort(host, "0"))
	if err != nil {
		return failed(err)
	}
	ctx, stop := context.WithTimeout(ctx, askWithin)
	stack := transaction.NewStack(transaction.Config{UserAgent: "Portero", Log: c.log, Lookup: c.Lookup}, phone.Agent, wire)
	ended := make(chan error, 1)
	go func() { ended <- stack.Run(ctx) }()
	defer func() { stop(); <-ended }()

	type answer struct {
		account int
		ua.Answer
	}
	answers := make(chan answer, len(accounts))
	for _, i := range accounts {
		phone.Agent.Query(phone.Account(c.cfg.Accounts[i].Name), func(ans ua.Answer) { answers <- answer{i, ans} })
	}
	said := map[int]config.Fault{}
	for len(said) < len(accounts) {
		select {
		case ans := <-answers:
			said[ans.account] = c.verdict(ans.account, ans.Answer)
			continue
		case <-ctx.Done():
		}
		break
	}
	var faults config.Faults
	for _, i := range accounts {
		f, ok := said[i]
		if !ok {
			f = c.account(i, config.Error, "not asked about in time", "try again")
		}
		faults = append(faults, f)
	}
	return faults
}

// verdict is what an answer says about an account.
func (c *Checker) verdict(i int, ans ua.Answer) config.Fault {
	a, at := &c.cfg.Accounts[i], ans.Server.Addr.String()
	status := fmt.Sprintf("%d %s", ans.Status, ans.Reason)
	challenged := ans.Status == 401 || ans.Status == 407
	switch {
	case ans.Status == 0 && ans.Alive:
		return c.account(i, config.Warning, at+" is there, but says nothing to the question", shows)
	case ans.Status == 0 && errors.Is(ans.Err, ua.ErrSilent):
		return c.account(i, config.Error, at+" says nothing", "is it a SIP server, over UDP, at this port, and may this machine reach it?")
	case ans.Status == 0:
		return c.account(i, config.Error, "not reached: "+ans.Err.Error(), "has this machine a network?")
	case ans.Status < 300:
		return c.account(i, config.Info, at+known(ans)+whereabouts(ans), "")
	case ans.Denied:
		return c.account(i, config.Error, fmt.Sprintf("%s refuses the user name %q or its password (%s)", at, a.User, status),
			"it was not tried again, as servers lock who keeps trying; compare with "+ua.LookThere)
	case challenged && a.Password == "":
		return c.account(i, config.Error, at+" asks for a password, and the file has none", "write password or password_file")
	case challenged && errors.Is(ans.Err, ua.ErrRealm):
		return c.account(i, config.Error, at+" asks for a password of another realm: "+ans.Err.Error(), "correct realm, or leave it out")
	case challenged && ans.Err != nil:
		return c.account(i, config.Error, at+" asks for a password in a way that is not known: "+ans.Err.Error(), "")
	case ans.Status == 403 || ans.Status == 404:
		return c.account(i, config.Error, fmt.Sprintf("%s takes no user %q (%s)", at, a.User, status), "compare with "+ua.LookThere)
	}
	return c.account(i, config.Warning, fmt.Sprintf("%s is there, but does not answer the question (%s)", at, status),
		shows)
}

const shows = "whether name and password are right shows when the station registers"

func known(ans ua.Answer) string {
	if ans.Proved {
		return " knows the user name and the password"
	}
	return " knows the user name and asks for no password"
}

// whereabouts are the contacts of an account.
func whereabouts(ans ua.Answer) string {
	if len(ans.Contacts) == 0 {
		return "; nobody is registered with them now"
	}
	var list []string
	for _, contact := range ans.Contacts[:min(len(ans.Contacts), 5)] {
		list = append(list, contact.URI.String())
	}
	return "; registered: " + strings.Join(list, ", ")
}
