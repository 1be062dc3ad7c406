package ua

import (
	"slices"

	"portero/sip"
)

// redirected follows a redirection (§8.1.3.4): once in a call, and only to what Config.Redirect knows. It
// tells what it does not follow.
func (c *Call) redirected(res *sip.Response) bool {
	if res.Status != 300 && res.Status != 301 && res.Status != 302 || len(res.Contact) == 0 {
		return false
	}
	contacts := slices.Clone(res.Contact)
	slices.SortStableFunc(contacts, func(a, b sip.Address) int { return b.Q() - a.Q() })
	for _, to := range contacts {
		if c.placed.followed || to.Star || !to.URI.IsSIP() || c.a.cfg.Redirect == nil {
			break
		}
		uri := to.URI
		uri.Headers = "" // §19.1.5: what they ask for is not this caller's wish
		acct, ok := c.a.cfg.Redirect(c.acct, uri)
		if !ok {
			continue
		}
		c.a.log.Info("redirection followed", "call", c.ID, "from", c.placed.inv.To, "to", uri)
		c.placed.followed = true
		c.giveUp(nil)
		c.acct, c.placed.inv.To, c.placed.refusal = acct, uri, nil
		c.begin()
		return true
	}
	c.a.log.Warn("redirection not followed", "call", c.ID, "from", c.placed.inv.To, "to", contacts[0].URI,
		"status", res.Status)
	return false
}
