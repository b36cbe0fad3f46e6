package format

import (
	"encoding/json"
	"strings"

	"gatehouse/alert"
	"gatehouse/detect"
)

// Names on the network are chosen by whoever is on it. In a chat they must not
// mention everybody, make a link or hide behind markup, so texts go where the
// service promises to show them as they are, and are escaped where it does not.

// Limits of the services, in characters; we count bytes, which are no fewer.
const (
	slackHeader    = 150  // plain_text of a header block
	slackText      = 3000 // text of a section block
	discordTitle   = 256
	discordText    = 2000 // 4096 are allowed: nobody reads them
	discordValue   = 1024
	ntfyText       = 3000 // the server makes an attachment of more than 4096
	teamsText      = 4000 // the whole card may have 28 KB
	maxFactsInChat = 10
)

// Slack renders a message for an incoming webhook: blocks of plain text, which
// Slack does not interpret, with a bar in the colour of the severity.
func Slack(n *alert.Notice, m Meta) ([]byte, error) {
	if n.ID() == "" {
		return nil, errEmpty
	}
	type text struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	type block struct {
		Type     string `json:"type"`
		Text     *text  `json:"text,omitempty"`
		Elements []text `json:"elements,omitempty"`
	}
	type attachment struct {
		Color    string  `json:"color"`
		Fallback string  `json:"fallback"`
		Blocks   []block `json:"blocks"`
	}
	title := slackEscape.Replace(Title(n))
	return json.Marshal(struct {
		Text        string       `json:"text"`
		Attachments []attachment `json:"attachments"`
	}{title, []attachment{{"#" + hexColor(n.Severity()), title, []block{
		{Type: "header", Text: &text{"plain_text", Cut(Title(n), slackHeader)}},
		{Type: "section", Text: &text{"plain_text", Cut(orDash(Summary(n)), slackText)}},
		{Type: "context", Elements: []text{{"plain_text", Cut(factLines(n, m), slackText)}}},
	}}}})
}

// slackEscape is what Slack asks for in texts that it interprets.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Discord renders a message for a webhook of Discord: an embed with markup
// escaped, and with all mentions switched off.
func Discord(n *alert.Notice, m Meta) ([]byte, error) {
	if n.ID() == "" {
		return nil, errEmpty
	}
	type field struct {
		Name   string `json:"name"`
		Value  string `json:"value"`
		Inline bool   `json:"inline"`
	}
	type embed struct {
		Title       string  `json:"title"`
		Description string  `json:"description"`
		Color       int     `json:"color"`
		Timestamp   string  `json:"timestamp,omitempty"`
		Fields      []field `json:"fields"`
	}
	fields := []field{}
	for _, f := range firstFacts(n, m) {
		fields = append(fields, field{f.name, Cut(escapeMarkdown(f.value), discordValue), len(f.value) < 40})
	}
	return json.Marshal(struct {
		Mentions struct {
			Parse []string `json:"parse"`
		} `json:"allowed_mentions"`
		Embeds []embed `json:"embeds"`
	}{
		struct {
			Parse []string `json:"parse"`
		}{[]string{}},
		[]embed{{
			Cut(escapeMarkdown(Title(n)), discordTitle), Cut(escapeMarkdown(Summary(n)), discordText),
			color(n.Severity()), n.Time().UTC().Format("2006-01-02T15:04:05.000Z"), fields,
		}},
	})
}

// escapeMarkdown takes the meaning from everything that Discord reads as
// markup, a link or a mention.
func escapeMarkdown(s string) string { return discordEscape.Replace(s) }

// discordEscape sets a backslash before markup. Mentions and addresses do not
// mind one: a space without width splits them.
var discordEscape = strings.NewReplacer(
	`\`, `\\`, "*", `\*`, "_", `\_`, "~", `\~`, "`", "\\`", "|", `\|`, ">", `\>`, "<", `\<`,
	"[", `\[`, "]", `\]`, "(", `\(`, ")", `\)`, "#", `\#`, "@", "@\u200b", "://", ":\u200b//",
)

// Ntfy renders a message for the root of an ntfy server.
func Ntfy(n *alert.Notice, m Meta) ([]byte, error) {
	if n.ID() == "" {
		return nil, errEmpty
	}
	return json.Marshal(struct {
		Topic    string   `json:"topic"`
		Title    string   `json:"title"`
		Message  string   `json:"message"`
		Priority int      `json:"priority"`
		Tags     []string `json:"tags"`
	}{m.Topic, Title(n), Cut(Summary(n)+"\n"+factLines(n, m), ntfyText), ntfyPriority(n.Severity()), []string{kind(n), n.ID()}})
}

// ntfyPriority is 2 (no sound) to 5 (until it is seen).
func ntfyPriority(s detect.Severity) int { return min(max(int(s), 1), 4) + 1 }

// Teams renders an Adaptive Card for a workflow of Microsoft Teams ("post to a
// channel when a webhook request is received"). Text runs are not interpreted.
func Teams(n *alert.Notice, m Meta) ([]byte, error) {
	if n.ID() == "" {
		return nil, errEmpty
	}
	type run struct {
		Type   string `json:"type"`
		Text   string `json:"text"`
		Size   string `json:"size,omitempty"`
		Weight string `json:"weight,omitempty"`
		Color  string `json:"color,omitempty"`
		Subtle bool   `json:"isSubtle,omitempty"`
	}
	type block struct {
		Type    string `json:"type"`
		Inlines []run  `json:"inlines"`
	}
	paragraph := func(runs ...run) block { return block{"RichTextBlock", runs} }
	body := []block{
		paragraph(run{Type: "TextRun", Text: Title(n), Size: "Medium", Weight: "Bolder", Color: teamsColor(n.Severity())}),
		paragraph(run{Type: "TextRun", Text: Cut(orDash(Summary(n)), teamsText)}),
	}
	for _, f := range firstFacts(n, m) {
		body = append(body, paragraph(
			run{Type: "TextRun", Text: f.name + ": ", Weight: "Bolder", Subtle: true},
			run{Type: "TextRun", Text: Cut(f.value, discordValue), Subtle: true},
		))
	}
	type card struct {
		Schema  string  `json:"$schema"`
		Type    string  `json:"type"`
		Version string  `json:"version"`
		Body    []block `json:"body"`
	}
	type attachment struct {
		ContentType string `json:"contentType"`
		Content     card   `json:"content"`
	}
	return json.Marshal(struct {
		Type        string       `json:"type"`
		Attachments []attachment `json:"attachments"`
	}{"message", []attachment{{
		"application/vnd.microsoft.card.adaptive",
		card{"http://adaptivecards.io/schemas/adaptive-card.json", "AdaptiveCard", "1.4", body},
	}}})
}

func teamsColor(s detect.Severity) string {
	switch s {
	case detect.Critical, detect.High:
		return "Attention"
	case detect.Medium:
		return "Warning"
	default:
		return "Accent"
	}
}

// firstFacts keeps a message readable on a telephone.
func firstFacts(n *alert.Notice, m Meta) []fact {
	all := facts(n, m)
	return all[:min(len(all), maxFactsInChat)]
}

func factLines(n *alert.Notice, m Meta) string {
	lines := make([]string, 0, maxFactsInChat)
	for _, f := range firstFacts(n, m) {
		lines = append(lines, f.name+": "+f.value)
	}
	return strings.Join(lines, "\n")
}

// orDash stands in for a text that services want not to be empty.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// color is red, orange, yellow or blue (of the palette by Okabe and Ito, which
// colour-blind people can tell apart).
func color(s detect.Severity) int {
	switch s {
	case detect.Critical:
		return 0xd55e00
	case detect.High:
		return 0xe69f00
	case detect.Medium:
		return 0xf0e442
	default:
		return 0x0072b2
	}
}

func hexColor(s detect.Severity) string {
	const digits = "0123456789abcdef"
	c := color(s)
	var b [6]byte
	for i := range b {
		b[i] = digits[c>>(20-4*i)&15]
	}
	return string(b[:])
}
