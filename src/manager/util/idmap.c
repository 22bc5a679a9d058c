/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Maps of ids: JSON, arithmetic, allocation. */
#include "util/idmap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "util/error.h"
#include "util/json.h"

#define RANGE_MIN 65536	     /* of subuid and subgid that is of use */
#define DEFAULT_BASE 1000000 /* without the files */
#define DEFAULT_RANGE 1000000000
#define ENTRIES_MAX 340 /* the kernel's UID_GID_MAP_MAX_EXTENTS */
#define ID_MAX 4294967295LL

void idmap_free(struct idmap *map)
{
	if (map)
		g_free(map->entries);
	g_free(map);
}

struct idmap *idmap_new(void)
{
	return g_new0(struct idmap, 1);
}

struct idmap *idmap_copy(const struct idmap *map)
{
	struct idmap *copy = idmap_new();

	if (map && map->count) {
		copy->count = map->count;
		copy->entries = g_memdup2(map->entries, map->count * sizeof(*map->entries));
	}
	return copy;
}

gboolean idmap_equal(const struct idmap *a, const struct idmap *b)
{
	g_autofree char *x = idmap_print(a), *y = idmap_print(b);

	return strcmp(x, y) == 0;
}

static void append(struct idmap *map, const struct idmap_entry *entry)
{
	map->entries = g_renew(struct idmap_entry, map->entries, map->count + 1);
	map->entries[map->count++] = *entry;
}

/* --- JSON --------------------------------------------------------------------------- */

static gboolean entry_valid(const struct idmap_entry *e)
{
	return (e->is_uid || e->is_gid) && e->range > 0 && e->host >= 0 && e->ns >= 0 &&
	       e->range <= ID_MAX && e->host <= ID_MAX - e->range + 1 &&
	       e->ns <= ID_MAX - e->range + 1;
}

struct idmap *idmap_parse(const char *json, GError **error)
{
	g_autoptr(json_t) list = NULL;
	g_autoptr(idmap_t) map = idmap_new();
	json_t *item;
	size_t i;

	if (!json || !*json)
		return g_steal_pointer(&map);
	list = json_parse(json, strlen(json), error);
	if (!list)
		return NULL;
	if (json_is_null(list))
		return g_steal_pointer(&map);
	json_array_foreach(list, i, item)
	{
		struct idmap_entry e = {
			.is_uid = json_is_true(json_object_get(item, "Isuid")),
			.is_gid = json_is_true(json_object_get(item, "Isgid")),
			.host = json_integer_value(json_object_get(item, "Hostid")),
			.ns = json_integer_value(json_object_get(item, "Nsid")),
			.range = json_integer_value(json_object_get(item, "Maprange")),
		};

		if (!entry_valid(&e) || map->count >= ENTRIES_MAX) {
			fail(error, 500, "Invalid idmap \"%s\"", json);
			return NULL;
		}
		append(map, &e);
	}
	if (!json_is_array(list)) {
		fail(error, 500, "Invalid idmap \"%s\"", json);
		return NULL;
	}
	return g_steal_pointer(&map);
}

char *idmap_print(const struct idmap *map)
{
	GString *text = g_string_new("[");

	for (guint i = 0; map && i < map->count; i++) {
		const struct idmap_entry *e = &map->entries[i];

		g_string_append_printf(text,
				       "%s{\"Isuid\":%s,\"Isgid\":%s,\"Hostid\":%" G_GINT64_FORMAT
				       ",\"Nsid\":%" G_GINT64_FORMAT
				       ",\"Maprange\":%" G_GINT64_FORMAT "}",
				       i ? "," : "", e->is_uid ? "true" : "false",
				       e->is_gid ? "true" : "false", e->host, e->ns, e->range);
	}
	g_string_append_c(text, ']');
	return g_string_free(text, FALSE);
}

/* --- arithmetic ------------------------------------------------------------------------ */

static gboolean overlap(gint64 a, gint64 b, gint64 range_a, gint64 range_b)
{
	return a < b + range_b && b < a + range_a;
}

/* What is left of OLD, of one kind of ids, before and after the part that is CUT out of it. */
static void append_rest(struct idmap *map, const struct idmap_entry *old,
			const struct idmap_entry *cut)
{
	struct idmap_entry head = *old, tail = *old;
	gint64 after = cut->ns + cut->range;

	head.range = cut->ns - old->ns;
	tail.ns = after;
	tail.host = old->host + (after - old->ns);
	tail.range = old->ns + old->range - after;
	if (head.range > 0)
		append(map, &head);
	if (tail.range > 0)
		append(map, &tail);
}

static void add_rest(struct idmap *map, const struct idmap_entry *old,
		     const struct idmap_entry *cut)
{
	struct idmap_entry uncut = *old, shared = *old;

	shared.is_uid = old->is_uid && cut->is_uid;
	shared.is_gid = old->is_gid && cut->is_gid;
	uncut.is_uid = old->is_uid && !cut->is_uid;
	uncut.is_gid = old->is_gid && !cut->is_gid;
	if (uncut.is_uid || uncut.is_gid)
		append(map, &uncut);
	append_rest(map, &shared, cut);
}

gboolean idmap_add(struct idmap *map, struct idmap_entry entry, GError **error)
{
	struct idmap now = { 0, NULL };

	for (guint i = 0; i < map->count; i++) {
		const struct idmap_entry *e = &map->entries[i];
		gboolean kind = (e->is_uid && entry.is_uid) || (e->is_gid && entry.is_gid);

		if (kind && overlap(e->host, entry.host, e->range, entry.range)) {
			g_free(now.entries);
			return fail(error, 500, "Host ID is in the range of subids");
		}
		if (kind && overlap(e->ns, entry.ns, e->range, entry.range))
			add_rest(&now, e, &entry);
		else
			append(&now, e);
	}
	append(&now, &entry);
	g_free(map->entries);
	*map = now;
	return TRUE;
}

static gint64 shift(const struct idmap *map, gboolean uid, gboolean to_host, gint64 id)
{
	for (guint i = 0; map && i < map->count; i++) {
		const struct idmap_entry *e = &map->entries[i];
		gint64 from = to_host ? e->ns : e->host, to = to_host ? e->host : e->ns;

		if ((uid ? e->is_uid : e->is_gid) && id >= from && id < from + e->range)
			return to + (id - from);
	}
	return -1;
}

gint64 idmap_uid_to_host(const struct idmap *map, gint64 ns)
{
	return shift(map, TRUE, TRUE, ns);
}

gint64 idmap_gid_to_host(const struct idmap *map, gint64 ns)
{
	return shift(map, FALSE, TRUE, ns);
}

gint64 idmap_uid_to_ns(const struct idmap *map, gint64 host)
{
	return shift(map, TRUE, FALSE, host);
}

gint64 idmap_gid_to_ns(const struct idmap *map, gint64 host)
{
	return shift(map, FALSE, FALSE, host);
}

/* --- the host's ranges ------------------------------------------------------------------- */

static gboolean number(const char *text, gint64 *ret)
{
	return g_ascii_string_to_signed(text, 10, 0, ID_MAX, ret, NULL);
}

/* The first range of root's that is of use; FALSE when there is no such file. */
static gboolean read_ranges(const char *path, gint64 *ret_base, gint64 *ret_range)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	gint64 base, range;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return FALSE;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) part = g_strsplit(g_strstrip(*line), ":", -1);

		if (g_strv_length(part) != 3 || **line == '#' ||
		    (strcmp(part[0], "root") != 0 && strcmp(part[0], "0") != 0))
			continue;
		if (number(part[1], &base) && number(part[2], &range) && range >= RANGE_MIN) {
			*ret_base = base;
			*ret_range = range;
			return TRUE;
		}
	}
	return TRUE;
}

void idmap_host_read(const char *root, struct idmap_host *ret)
{
	g_autofree char *uids = g_strconcat(root, "/etc/subuid", NULL);
	g_autofree char *gids = g_strconcat(root, "/etc/subgid", NULL);

	memset(ret, 0, sizeof(*ret));
	if (!read_ranges(uids, &ret->uid, &ret->uid_range) ||
	    !read_ranges(gids, &ret->gid, &ret->gid_range)) {
		ret->uid = ret->gid = DEFAULT_BASE;
		ret->uid_range = ret->gid_range = DEFAULT_RANGE;
	}
}

/* --- raw.idmap ---------------------------------------------------------------------------------
 */

/* "1000" or "1000-1010". */
static gboolean parse_range(const char *text, gint64 *ret_first, gint64 *ret_range, GError **error)
{
	g_auto(GStrv) part = g_strsplit(text, "-", 2);
	gint64 last;

	if (!number(part[0], ret_first) || (part[1] && !number(part[1], &last)))
		return fail(error, 500, "invalid raw.idmap: \"%s\" is no ID range", text);
	if (!part[1])
		last = *ret_first;
	if (last < *ret_first)
		return fail(error, 500, "Invalid range: %s", text);
	*ret_range = last - *ret_first + 1;
	return TRUE;
}

static gboolean parse_line(struct idmap *map, const char *line, GError **error)
{
	g_auto(GStrv) word = g_strsplit(line, " ", -1);
	struct idmap_entry e = { 0 };
	gint64 range;

	if (g_strv_length(word) != 3)
		return fail(error, 500, "invalid raw.idmap line \"%s\"", line);
	if (!parse_range(word[1], &e.host, &e.range, error) ||
	    !parse_range(word[2], &e.ns, &range, error))
		return FALSE;
	if (range != e.range)
		return fail(error, 500, "idmap ranges of different sizes \"%s\"", line);
	e.is_uid = strcmp(word[0], "both") == 0 || strcmp(word[0], "uid") == 0;
	e.is_gid = strcmp(word[0], "both") == 0 || strcmp(word[0], "gid") == 0;
	if (!e.is_uid && !e.is_gid)
		return fail(error, 500, "invalid raw.idmap type \"%s\"", word[0]);
	if (!entry_valid(&e) || map->count >= ENTRIES_MAX)
		return fail(error, 500, "invalid raw.idmap line \"%s\"", line);
	return idmap_add(map, e, error);
}

struct idmap *idmap_parse_raw(const char *raw, GError **error)
{
	g_autoptr(idmap_t) map = idmap_new();
	g_auto(GStrv) lines = g_strsplit(raw ? raw : "", "\n", -1);

	for (char **line = lines; *line; line++)
		if (*g_strstrip(*line) && !parse_line(map, *line, error))
			return NULL;
	return g_steal_pointer(&map);
}

/* --- allocation ----------------------------------------------------------------------------------
 */

static struct idmap *make(gint64 uid, gint64 uid_range, gint64 gid, gint64 gid_range,
			  const struct idmap *raw, GError **error)
{
	g_autoptr(idmap_t) map = idmap_new();
	struct idmap_entry uids = { TRUE, FALSE, uid, 0, uid_range };
	struct idmap_entry gids = { FALSE, TRUE, gid, 0, gid_range };

	append(map, &uids);
	append(map, &gids);
	for (guint i = 0; i < raw->count; i++)
		if (!idmap_add(map, raw->entries[i], error))
			return NULL;
	return g_steal_pointer(&map);
}

static int by_base(const void *a, const void *b)
{
	const struct idmap_taken *x = a, *y = b;

	return (x->base > y->base) - (x->base < y->base);
}

/* The first base at which SIZE ids are free; behind the part that shared instances use most. */
static gint64 first_free(const struct idmap_host *host, const struct idmap_request *request,
			 gint64 size)
{
	g_autofree struct idmap_taken *taken = g_memdup2(request->taken,
							 request->n_taken * sizeof(*taken));
	gint64 base = host->uid + IDMAP_ISOLATED_SIZE;

	if (request->n_taken)
		qsort(taken, request->n_taken, sizeof(*taken), by_base);
	for (gsize i = 0; i < request->n_taken; i++) {
		if (taken[i].base >= base + size)
			break;
		if (taken[i].base + taken[i].size > base)
			base = taken[i].base + taken[i].size;
	}
	return base + size <= host->uid + host->uid_range ? base : -1;
}

struct idmap *idmap_allocate(const struct idmap_host *host, const struct idmap_request *request,
			     gint64 *ret_base, GError **error)
{
	g_autoptr(idmap_t) raw = idmap_parse_raw(request->raw, error);
	struct idmap *map;
	gint64 size = request->size ? request->size : IDMAP_ISOLATED_SIZE, base = request->base;

	if (!raw)
		return NULL;
	if (host->uid_range <= 0 || host->gid_range <= 0) {
		fail(error, 500,
		     "LXD doesn't have a uid/gid allocation. In this mode, only "
		     "privileged containers are supported");
		return NULL;
	}
	if (!request->isolated) {
		map = make(host->uid, request->size ? size : host->uid_range, host->gid,
			   request->size ? size : host->gid_range, raw, error);
		base = 0;
	} else {
		if (base < 0)
			base = first_free(host, request, size);
		if (base < 0) {
			fail(error, 500, "Not enough uid/gid available for the container");
			return NULL;
		}
		map = make(base, size, base, size, raw, error);
	}
	if (map)
		*ret_base = base;
	return map;
}
