/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One line of /proc/PID/mountinfo; see proc_pid_mountinfo(5). */
#include "mountinfo.h"

#include <stdio.h>
#include <string.h>

static bool is_octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' &&
	       s[2] <= '7';
}

/* Blanks, newlines and backslashes in names come as \ooo. In place: it only gets shorter. */
static char *unescape(char *s)
{
	char *to = s;

	for (const char *from = s; *from; to++) {
		if (*from == '\\' && is_octal(from + 1)) {
			*to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] - '0');
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
	return s;
}

/* The kernel says so of what it no longer finds by that name; it is still mounted. */
static void cut_deleted(char *root)
{
	static const char deleted[] = "//deleted";
	size_t len = strlen(root);

	if (len > sizeof(deleted) - 1 && !strcmp(root + len - (sizeof(deleted) - 1), deleted))
		root[len - (sizeof(deleted) - 1)] = '\0';
}

bool mountinfo_parse(char *line, struct mountinfo *ret)
{
	struct mountinfo m = { 0 };
	unsigned long long id, parent;
	char *words[6], *save = NULL, *word, *root;

	for (unsigned i = 0; i < 6; i++) {
		words[i] = strtok_r(i ? NULL : line, " \n", &save);
		if (!words[i])
			return false;
	}
	/* Any number of optional fields, then "-". */
	do
		word = strtok_r(NULL, " \n", &save);
	while (word && strcmp(word, "-") != 0);
	m.type = word ? strtok_r(NULL, " \n", &save) : NULL;
	if (!m.type || sscanf(words[0], "%llu", &id) != 1 ||
	    sscanf(words[1], "%llu", &parent) != 1 ||
	    sscanf(words[2], "%u:%u", &m.major, &m.minor) != 2)
		return false;
	m.id = id;
	m.parent = parent;
	root = unescape(words[3]);
	cut_deleted(root);
	m.root = root;
	m.point = unescape(words[4]);
	m.options = words[5];
	*ret = m;
	return true;
}

bool mountinfo_has_option(const struct mountinfo *m, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = m->options; (p = strstr(p, word)); p += len)
		if ((p == m->options || p[-1] == ',') && (p[len] == ',' || !p[len]))
			return true;
	return false;
}
