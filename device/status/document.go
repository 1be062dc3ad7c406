package status

import "portero/device"

// Document is what a running station says of itself.
type Document struct {
	device.Snapshot
	File     string `json:"file"`               // the configuration file
	Digest   string `json:"digest,omitempty"`   // config.Config.Digest of what runs; it is the file's where StandIn is nil
	Refused  string `json:"refused,omitempty"`  // why the station has not taken the file that it was last told to read
	Starting string `json:"starting,omitempty"` // why no station runs yet
	Bells    []Bell `json:"bells,omitempty"`
}

// Bell is a bell with whom it calls.
type Bell struct {
	Name    string   `json:"name"`
	Targets []string `json:"targets"` // as in the file
}
