//go:build !hangtest

package device

// hangOnSignal does nothing in what is shipped; see hang_hangtest.go.
func (s *Station) hangOnSignal() (stop func()) { return func() {} }
