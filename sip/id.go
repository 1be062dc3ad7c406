package sip

import (
	"crypto/rand"
	"encoding/hex"
)

// BranchCookie begins the branches that are unique in space and time (RFC 3261 §8.1.1.7).
const BranchCookie = "z9hG4bK"

// NewBranch returns a random branch of a Via, with 64 bits of randomness.
func NewBranch() string { return BranchCookie + randomHex(8) }

// NewTag returns a random tag (§19.3: at least 32 bits of randomness).
func NewTag() string { return randomHex(8) }

// NewCallID returns a random Call-ID (§8.1.1.4), which says nothing of this host.
func NewCallID() string { return randomHex(16) }

func randomHex(n int) string {
	var b [16]byte
	rand.Read(b[:n])
	return hex.EncodeToString(b[:n])
}
