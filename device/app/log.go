package app

import (
	"io"
	"log/slog"

	"portero/device/config"
)

// NewLogger writes as the configuration asks.
func NewLogger(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(c.Level)) // validated; the zero value is info
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: withoutNil}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// withoutNil leaves out an err that is none.
func withoutNil(_ []string, a slog.Attr) slog.Attr {
	if a.Key == "err" && a.Value.Kind() == slog.KindAny && a.Value.Any() == nil {
		return slog.Attr{}
	}
	return a
}
