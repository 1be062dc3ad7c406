package device

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"portero/device/config"
	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// allowRule is a config.Allow made ready.
type allowRule struct {
	config.Allow
	from   sip.URI // of a rule for the built-in server the user name alone counts
	source config.Source
}

func newAllowRule(a config.Allow) (r allowRule, err error) {
	r.Allow = a
	if r.source, err = config.ParseSource(a.Source); err != nil {
		return r, err
	}
	if r.source.Server && !strings.Contains(a.From, ":") {
		r.from = sip.URI{Scheme: "sip", User: a.From}
		return r, nil
	}
	r.from, err = sip.ParseURI(a.From)
	return r, err
}

// isFrom reports whether a caller is the one of the rule. The built-in server lets nobody call under another
// name than its own, by whatever name of this machine.
func (r *allowRule) isFrom(from sip.URI) bool {
	if r.source.Server {
		return strings.EqualFold(r.from.Username(), from.Username())
	}
	return r.from.Username() == from.Username() && strings.EqualFold(r.from.Host, from.Host)
}

// admit decides on a stranger's INVITE: only callers on the list, each only from where it belongs. It runs on
// the stack's loop.
func (p *Phone) admit(flow transport.Flow, req *sip.Request) int {
	if p.rule(flow, req.From.URI) == nil {
		p.tellRefused(flow, req)
		return 403
	}
	return 0
}

// rule finds the first rule that lets a caller in. From is worth what its source is: the registrar's word, or
// an address.
func (p *Phone) rule(flow transport.Flow, from sip.URI) *allowRule {
	for i := range p.allow {
		if r := &p.allow[i]; r.isFrom(from) && p.sourceFits(r.source, flow.Remote) {
			return r
		}
	}
	return nil
}

func (p *Phone) sourceFits(s config.Source, addr netip.AddrPort) bool {
	switch {
	case s.Server:
		a := p.accounts[builtIn]
		return a != nil && p.Agent.Trusts(a, addr)
	case s.Account != "":
		a := p.accounts[s.Account]
		return a != nil && p.Agent.Trusts(a, addr)
	}
	return s.Net.Contains(addr.Addr().Unmap())
}

// mostRefused is how many refused callers are told a minute, each of them once.
const mostRefused = 20

// tellRefused says which lines of the file would let a caller in.
func (p *Phone) tellRefused(flow transport.Flow, req *sip.Request) {
	source := p.sourceOf(flow.Remote)
	from := "sip:" + req.From.URI.User + "@" + req.From.URI.Host
	if source == "server" {
		from = req.From.URI.Username()
	}
	if !p.refused.First(from+" "+source, time.Now()) {
		return
	}
	remedy := fmt.Sprintf("if it may call the door, write two lines below a new [[incoming.allow]]: from = '%s' and source = '%s'", from, source)
	if r := p.other(req.From.URI); r != nil {
		remedy = fmt.Sprintf("the file lets it in with source = '%s' only; if it may call from where it did, write source = '%s'", r.Source, source)
	}
	if strings.Contains(from, "'") || len(from) > 128 || !config.ExactCaller(from, source) {
		remedy = "no [[incoming.allow]] can name it: give the caller a short user name or number of its own"
	}
	p.log.Warn("caller refused, no [[incoming.allow]] lets it in", "part", "station", "call", req.CallID, "caller", transaction.Cut(from),
		"from", flow.Remote, "remedy", remedy)
}

// other is a rule for the caller, from elsewhere.
func (p *Phone) other(from sip.URI) *allowRule {
	for i := range p.allow {
		if r := &p.allow[i]; r.isFrom(from) {
			return r
		}
	}
	return nil
}

// sourceOf is how the file names where a call came from.
func (p *Phone) sourceOf(addr netip.AddrPort) string {
	for _, name := range p.order {
		switch {
		case !p.Agent.Trusts(p.accounts[name], addr):
		case name == builtIn:
			return "server"
		default:
			return "account:" + name
		}
	}
	return addr.Addr().Unmap().WithZone("").String()
}
