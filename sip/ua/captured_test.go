package ua_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// captured is a log that keeps its text.
type captured struct {
	warnings bool // and nothing below them
	mu       sync.Mutex
	b        *strings.Builder
}

// text returns what was logged so far.
func (c *captured) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.String()
}

func (c *captured) Enabled(_ context.Context, l slog.Level) bool {
	return !c.warnings || l >= slog.LevelWarn
}
func (c *captured) WithAttrs([]slog.Attr) slog.Handler { return c }
func (c *captured) WithGroup(string) slog.Handler      { return c }
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
