package main

import "testing"

func TestShorten(t *testing.T) {
	tests := []struct{ org, want string }{
		{"Texas Instruments", "Texas Instruments"},
		{"Texas Instruments Incorporated, Dallas TX", "Texas Instruments"},
		{"TP-LINK TECHNOLOGIES CO.,LTD.", "TP-Link"},
		{"Espressif Inc.", "Espressif"},
		{"Raspberry Pi Trading Ltd", "Raspberry Pi"},
		{"Hewlett Packard Enterprise", "Hewlett Packard Enterprise"},
		{"Hewlett Packard", "HP"},
		{"Cisco-Linksys, LLC", "Linksys"},
		{"Cisco Systems, Inc", "Cisco"},
		{"DEUTA-WERKE GmbH", "Deuta-Werke"},
		{"IGT", "IGT"},
		{"American Micro-Fuel Device Corp.", "American Micro-Fuel Device"},
		{"Truecom Telesoft Private Limited", "Truecom Telesoft"},
		{"Applethorn Labs", "Applethorn Labs"}, // not Apple: the brand ends within a word
		{"Private", ""},
		{"IEEE Registration Authority", ""}, // split into smaller blocks
		{"Co., Ltd.", "Co"},                 // never empty because every word is noise
		{"A very long name of a company that nobody would ever print in full", "A very long name of a company"},
		{"Tab\tlabs\x1b[31mred", "Tab labs"}, // no control characters; what follows a bracket is a remark
	}
	for _, tt := range tests {
		if got := shorten(tt.org); got != tt.want {
			t.Errorf("shorten(%q) = %q, want %q", tt.org, got, tt.want)
		}
	}
}

func TestDistinctKeepsTheLaterRegistry(t *testing.T) {
	rows := distinct([]assignment{{2, "old"}, {1, "a"}, {2, "new"}})
	if len(rows) != 2 || rows[0].name != "a" || rows[1].name != "new" {
		t.Fatalf("got %v", rows)
	}
}
