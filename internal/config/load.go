package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFileBytes bounds a configuration and a secret, so that a wrong path such
// as a disk image is an error and not the end of memory.
const (
	maxFileBytes   = 4 << 20
	maxSecretBytes = 64 << 10
)

// Load reads a configuration file and the secrets that it names. Relative
// paths in it, except data, are relative to the folder of the file. The error
// joins all mistakes, each a *[Mistake], or is one of reading.
func Load(path string) (Config, error) {
	data, err := readFile(path, maxFileBytes)
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	c, m := parse(path, data)
	c.resolve(filepath.Dir(path))
	c.readSecrets(m)
	if err := m.err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Parse reads a configuration without touching any file; name stands for it in
// positions. Secrets stay unread, so a receiver with url_file has no URL yet.
// Empty input is [Default]. It returns a configuration or an error, never both.
func Parse(name string, data []byte) (Config, error) {
	c, m := parse(name, data)
	if err := m.err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

func parse(name string, data []byte) (Config, *mistakes) {
	c := Default()
	m := newMistakes(name)
	root := document(data, m)
	if len(m.list) > 0 {
		return c, m // nothing further makes sense
	}
	if root != nil {
		d := decoder{mistakes: m}
		d.decode(root, reflect.ValueOf(&c).Elem(), "")
		if d.nodes > maxNodes {
			m.list = nil
			m.add(at(root), "", "more than %d values; is this the right file, and does an alias repeat too much?", maxNodes)
			return c, m // the rest was not read
		}
	}
	c.check(m)
	return c, m
}

// document reads the one document of a file; nil when it is empty.
func document(data []byte, m *mistakes) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		m.syntax(err)
		return nil
	}
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		m.syntax(err)
	default:
		m.add(at(&second), "", "a second document begins here; put everything into one")
	}
	if len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

var yamlLine = regexp.MustCompile(`^line ([0-9]+): `)

// syntax reports that the file is no YAML. The library tells the line only,
// not always, and sometimes the one before.
func (m *mistakes) syntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	found := yamlLine.FindStringSubmatch(text)
	if found == nil {
		m.add(position{}, "", "not YAML: %s", text)
		return
	}
	n, _ := strconv.Atoi(found[1]) // 0 when out of range
	m.add(position{max(n, 1), 1}, "", "not YAML here or close by: %s", text[len(found[0]):])
}

// resolve makes relative paths relative to dir.
func (c *Config) resolve(dir string) {
	join := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	for i := range c.CMDB.Files {
		join(&c.CMDB.Files[i])
	}
	for name, s := range c.Ingest.Sources {
		join(&s.HMACSecretFile)
		c.Ingest.Sources[name] = s
	}
	for i := range c.Notify.Receivers {
		join(&c.Notify.Receivers[i].URLFile)
		join(&c.Notify.Receivers[i].SecretFile)
		join(&c.Notify.Receivers[i].AuthorizationFile)
	}
}

// readSecrets reads what the *_file keys name.
func (c *Config) readSecrets(m *mistakes) {
	for name, s := range c.Ingest.Sources {
		s.HMACSecret = NewSecret(m.secret("ingest.sources."+name+".hmac_secret_file", s.HMACSecretFile))
		c.Ingest.Sources[name] = s
	}
	for i := range c.Notify.Receivers {
		r := &c.Notify.Receivers[i]
		key := fmt.Sprintf("notify.receivers[%d]", i)
		r.Secret = NewSecret(m.secret(key+".secret_file", r.SecretFile))
		r.Authorization = NewSecret(m.secret(key+".authorization_file", r.AuthorizationFile))
		if strings.ContainsFunc(r.Authorization.Reveal(), isControl) {
			m.bad(key+".authorization_file", "what the file %s holds has several lines; want the header's value only", r.AuthorizationFile)
		}
		if r.URLFile != "" && r.URL == "" {
			r.URL = m.secret(key+".url_file", r.URLFile)
			if why := webURL(r.URL); r.URL != "" && why != "" {
				m.bad(key+".url_file", "what the file %s holds %s", r.URLFile, why)
			}
		}
	}
}

// secret reads one, without the line break that editors end files with.
func (m *mistakes) secret(key, path string) string {
	if path == "" {
		return ""
	}
	data, err := readFile(path, maxSecretBytes)
	if err != nil {
		m.bad(key, "%v", err)
		return ""
	}
	s := strings.TrimRight(string(data), "\r\n")
	if strings.TrimSpace(s) == "" {
		m.bad(key, "the file %s is empty; put the secret into it or remove the key", path)
	}
	return s
}

func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s has more than %d bytes; is this the right file?", path, most)
	}
	return data, nil
}
