package ua_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// captured is a log that keeps its text.
type captured struct {
	mu sync.Mutex
	b  *strings.Builder
}

func (c *captured) Enabled(context.Context, slog.Level) bool { return true }
func (c *captured) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c *captured) WithGroup(string) slog.Handler            { return c }
func (c *captured) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		c.b.WriteString(" " + a.Value.Resolve().String())
		return true
	})
	c.b.WriteByte('\n')
	return nil
}
