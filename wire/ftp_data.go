package wire

import "bytes"

// FTPData is what a data connection of FTP was opened for.
type FTPData struct {
	Command string // RETR, STOR, STOU, APPE, LIST, NLST or MLSD
	File    string // as named in the command, at most 256 bytes
}

// Protocol implements Message.
func (*FTPData) Protocol() string { return "ftp-data" }

// ftpData is where the next data connection is awaited.
type ftpData struct {
	listener Dir
	port     uint16 // 0: nowhere
}

func (d ftpData) expect(command, file string) *Expectation {
	return &Expectation{
		App: "ftp-data", Over: overTCP, Listener: d.listener, Port: d.port, Message: &FTPData{command, file},
	}
}

// ftpPort reads the port that a command or reply names, 0 if none: of PORT and
// PASV the last two of six numbers (RFC 959 section 4.1.2), of EPRT and EPSV
// the third field between delimiters (RFC 2428). The address is left alone:
// behind address translation it is not the one that is seen.
func ftpPort(command string, line []byte) uint16 {
	if command == "PORT" || command == "PASV" {
		return sixNumbers(line)
	}
	if command == "EPSV" {
		i := bytes.IndexByte(line, '(')
		if i < 0 {
			return 0
		}
		line = line[i+1:]
	}
	if len(line) == 0 {
		return 0
	}
	fields := bytes.SplitN(line, line[:1], 5)
	if len(fields) < 5 {
		return 0
	}
	return decimalPort(fields[3])
}

// sixNumbers finds h1,h2,h3,h4,p1,p2 in a line. The code of a reply is no part
// of it, as no comma follows.
func sixNumbers(line []byte) uint16 {
	count, high, n, digits := 0, 0, 0, 0
	for i := 0; i <= len(line); i++ {
		if i < len(line) && isDigit(line[i]) && n <= 255 {
			n, digits = 10*n+int(line[i]-'0'), digits+1
			continue
		}
		switch {
		case digits == 0 || n > 255:
			count = 0
		case count == 5:
			return uint16(high<<8 | n)
		case i < len(line) && line[i] == ',':
			count, high = count+1, n
		default:
			count = 0
		}
		n, digits = 0, 0
	}
	return 0
}

// decimalPort reads a port, 0 if it is none.
func decimalPort(b []byte) uint16 {
	n := 0
	for _, c := range b {
		if !isDigit(c) || n > 6553 {
			return 0
		}
		n = 10*n + int(c-'0')
	}
	if n > 65535 {
		return 0
	}
	return uint16(n)
}
