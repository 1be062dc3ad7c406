package fsm

import "sync"

// Mailbox hands calls to the one loop that owns a machine's state. It has no bound: only this process fills
// it, never a stranger; what strangers send waits in a bounded channel of the loop's own.
type Mailbox struct {
	mu   sync.Mutex
	q    []func()
	wake chan struct{}
}

// NewMailbox makes an empty mailbox.
func NewMailbox() *Mailbox { return &Mailbox{wake: make(chan struct{}, 1)} }

// Put adds a call. It never blocks. Any goroutine may call it.
func (m *Mailbox) Put(f func()) {
	m.mu.Lock()
	m.q = append(m.q, f)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Wake tells the loop that something was put since it last found the mailbox empty.
func (m *Mailbox) Wake() <-chan struct{} { return m.wake }

// Take removes the oldest call; nil when there is none.
func (m *Mailbox) Take() func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.q) == 0 {
		return nil
	}
	f := m.q[0]
	m.q[0] = nil
	m.q = m.q[1:]
	if len(m.q) == 0 {
		m.q = nil
	}
	return f
}
