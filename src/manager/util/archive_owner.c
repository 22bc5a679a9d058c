/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ids that hide in extended attributes: who a POSIX ACL is for, and whose root a file
 * capability needs. Both in the kernel's little-endian formats.
 */
#include <string.h>

#include "util/archive_internal.h"

#define CAPABILITY "security.capability"
#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

enum {
	CAP_REVISION_2 = 0x02000000,
	CAP_REVISION_3 = 0x03000000,
	CAP_REVISION_MASK = 0x7f000000,
	CAP_SIZE_2 = 20, /* revision 3 has the root's id behind it */
	CAP_SIZE_3 = 24,
	ACL_VERSION = 2,
	ACL_HEAD = 4,
	ACL_ITEM = 8, /* 16 bits tag, 16 bits permissions, 32 bits id */
};

enum acl_tag {
	ACL_USER_OBJ = 1,
	ACL_USER = 2,
	ACL_GROUP_OBJ = 4,
	ACL_GROUP = 8,
	ACL_MASK = 16,
	ACL_OTHER = 32,
};

static const struct {
	int archive;
	enum acl_tag kernel;
} tags[] = {
	{ ARCHIVE_ENTRY_ACL_USER_OBJ, ACL_USER_OBJ },	{ ARCHIVE_ENTRY_ACL_USER, ACL_USER },
	{ ARCHIVE_ENTRY_ACL_GROUP_OBJ, ACL_GROUP_OBJ }, { ARCHIVE_ENTRY_ACL_GROUP, ACL_GROUP },
	{ ARCHIVE_ENTRY_ACL_MASK, ACL_MASK },		{ ARCHIVE_ENTRY_ACL_OTHER, ACL_OTHER },
};

static guint32 get32(const guint8 *at)
{
	guint32 value;

	memcpy(&value, at, sizeof value);
	return GUINT32_FROM_LE(value);
}

static void put32(guint8 *at, guint32 value)
{
	value = GUINT32_TO_LE(value);
	memcpy(at, &value, sizeof value);
}

static guint16 get16(const guint8 *at)
{
	guint16 value;

	memcpy(&value, at, sizeof value);
	return GUINT16_FROM_LE(value);
}

static void put16(guint8 *at, guint16 value)
{
	value = GUINT16_TO_LE(value);
	memcpy(at, &value, sizeof value);
}

/* --- capabilities ---------------------------------------------------------------- */

/* Revision 2 counts in the first user namespace alone, revision 3 where that id is root. */
static gboolean map_capability(GByteArray *value, archive_owner owner, void *data)
{
	guint32 revision = value->len >= CAP_SIZE_2 ? get32(value->data) & CAP_REVISION_MASK : 0;
	uid_t root = 0;

	if (revision == CAP_REVISION_3 && value->len == CAP_SIZE_3)
		root = get32(value->data + CAP_SIZE_2);
	else if (revision != CAP_REVISION_2 || value->len != CAP_SIZE_2)
		return TRUE;
	if (!owner(&root, &(gid_t){ -1 }, data))
		return FALSE;
	revision = root ? CAP_REVISION_3 : CAP_REVISION_2;
	g_byte_array_set_size(value, root ? CAP_SIZE_3 : CAP_SIZE_2);
	put32(value->data, (get32(value->data) & ~(guint32)CAP_REVISION_MASK) | revision);
	if (root)
		put32(value->data + CAP_SIZE_2, root);
	return TRUE;
}

/* --- ACLs ------------------------------------------------------------------------- */

static gboolean map_acl(GByteArray *value, archive_owner owner, void *data)
{
	for (guint at = ACL_HEAD; at + ACL_ITEM <= value->len; at += ACL_ITEM) {
		guint16 tag = get16(value->data + at);
		uid_t id = get32(value->data + at + 4);
		gid_t group = id;

		if (tag == ACL_USER && !owner(&id, &(gid_t){ -1 }, data))
			return FALSE;
		if (tag == ACL_GROUP && !owner(&(uid_t){ -1 }, &group, data))
			return FALSE;
		put32(value->data + at + 4, tag == ACL_GROUP ? group : id);
	}
	return TRUE;
}

gboolean archive_map_xattr(const char *name, GByteArray *value, archive_owner owner, void *data)
{
	if (!owner)
		return TRUE;
	if (strcmp(name, CAPABILITY) == 0)
		return map_capability(value, owner, data);
	if (strcmp(name, ACL_ACCESS) == 0 || strcmp(name, ACL_DEFAULT) == 0)
		return map_acl(value, owner, data);
	return TRUE;
}

static guint16 kernel_tag(int archive)
{
	for (gsize i = 0; i < G_N_ELEMENTS(tags); i++)
		if (tags[i].archive == archive)
			return tags[i].kernel;
	return 0;
}

static int archive_tag(guint16 kernel)
{
	for (gsize i = 0; i < G_N_ELEMENTS(tags); i++)
		if (tags[i].kernel == kernel)
			return tags[i].archive;
	return 0;
}

static int compare_items(const void *a, const void *b)
{
	int tag = (int)get16(a) - (int)get16(b);
	guint32 left = get32((const guint8 *)a + 4), right = get32((const guint8 *)b + 4);

	return tag ? tag : left < right ? -1 : left > right;
}

/* The id, that a tar may have in place of a name; -1 for an entry that needs none. */
static gboolean named_id(int tag, int id, const char *name, guint32 *ret)
{
	guint64 number;

	*ret = (guint32)id;
	if (tag != ARCHIVE_ENTRY_ACL_USER && tag != ARCHIVE_ENTRY_ACL_GROUP) {
		*ret = (guint32)-1;
		return TRUE;
	}
	if (id != -1)
		return TRUE;
	if (!name || !g_ascii_string_to_unsigned(name, 10, 0, G_MAXUINT32 - 1, &number, NULL))
		return FALSE; /* names are not looked up: they would be the host's */
	*ret = (guint32)number;
	return TRUE;
}

GByteArray *archive_acl_value(struct archive_entry *entry, int type)
{
	int kind, permset, tag, id;
	const char *name;
	GByteArray *value;

	if (archive_entry_acl_reset(entry, type) == 0)
		return NULL;
	value = g_byte_array_new();
	g_byte_array_set_size(value, ACL_HEAD);
	put32(value->data, ACL_VERSION);
	while (archive_entry_acl_next(entry, type, &kind, &permset, &tag, &id, &name) ==
	       ARCHIVE_OK) {
		guint8 item[ACL_ITEM];
		guint32 number;

		if (!named_id(tag, id, name, &number))
			continue;
		put16(item, kernel_tag(tag));
		put16(item + 2, (guint16)(permset & 7));
		put32(item + 4, number);
		g_byte_array_append(value, item, sizeof item);
	}
	/* The kernel wants them in the order of their tags. */
	qsort(value->data + ACL_HEAD, (value->len - ACL_HEAD) / ACL_ITEM, ACL_ITEM, compare_items);
	return value;
}

gboolean archive_acl_entries(struct archive_entry *entry, int type, const GByteArray *value)
{
	if (value->len < ACL_HEAD || get32(value->data) != ACL_VERSION)
		return FALSE;
	for (guint at = ACL_HEAD; at + ACL_ITEM <= value->len; at += ACL_ITEM) {
		const guint8 *item = value->data + at;

		archive_entry_acl_add_entry(entry, type, get16(item + 2) & 7,
					    archive_tag(get16(item)), (int)get32(item + 4), NULL);
	}
	return TRUE;
}
