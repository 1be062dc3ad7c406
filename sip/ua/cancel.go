package ua

// giveUp cancels all INVITEs but one, and any further attempt.
func (c *Call) giveUp(but *attempts) {
	c.placed.failover.Stop()
	c.placed.again.Stop()
	c.placed.queue = nil
	for _, o := range c.placed.outs {
		if o != but && !o.done {
			o.cancel()
		}
	}
}

// cancel gives a pending INVITE up.
func (o *attempts) cancel() {
	o.gone = true
	o.tx.Cancel()
}
