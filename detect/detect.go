// Package detect holds one detector per file.
package detect
