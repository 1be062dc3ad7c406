package ua

import "portero/sip"

// giveUp cancels all INVITEs but one, and any further attempt. why are fields for the CANCELs.
func (c *Call) giveUp(but *attempts, why ...sip.Header) {
	c.placed.failover.Stop()
	c.placed.again.Stop()
	c.placed.address.Stop()
	c.placed.queue = nil
	for _, o := range c.placed.outs {
		if o != but && !o.done {
			o.gone = true
			o.tx.Cancel(why...)
		}
	}
}
