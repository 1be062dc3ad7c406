// Package config reads portero.toml.
//
//	sample.toml    the manual: every key with its meaning and default; embedded as Sample
//	config.go      Config and its parts, Default, Redacted
//	target.go      whom a bell calls, who may call in: the address forms of the file
//	spelling.go    what names, numbers and addresses are made of
//	board.go       bells, inputs, doors and lamps as package board wants them
//	relays.go      the relays alone, from a file that may be faulty: to release them
//	load.go        Load, Parse, versions
//	lastgood.go    the last good copy, and what of it may stand in for a file that cannot be used
//	document.go    TOML to a tree, with the line of each key
//	syntax.go      what is wrong with a line that is not TOML
//	bind.go        tree to Config; unknown keys and wrong types
//	validate*.go   what the values must be
//	guessable.go   codes and passwords that strangers know or try first
//	fault.go       Fault: line, key, problem, remedy
//
// All faults of a file are reported at once, each with its line and a remedy. Even a line that is not TOML
// does not hide the faults behind it, unless it is a table header or part of a value of several lines. A
// fault of another severity than [Error] does not stop the station; Config.Warnings has them. What is [Unsafe]
// in a code, a user or the whole file is taken out of the Config: the station cannot use it. What an earlier
// version took and this one does not is [Ignored], never an Error: an upgrade silences no bell.
//
// The program never rewrites the file. SaveLastGood keeps a copy beside the station's data; LoadLastGood
// reads it without codes, incoming calls and the doors that no button inside opens: a bell that rings and a
// button that lets people out are worth an old setting, any other opener is not.
//
// Traps: the value of a [Secret] or of an unknown key appears in no fault. Durations are text with a unit
// ("45s"); zero means "never" only where sample.toml says so. The polarity check of relays knows Raspberry Pi
// pins by name only (GPIO17, pinctrl-bcm2711:17); board.Check asks the hardware.
package config
