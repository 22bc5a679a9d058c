/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of util/archive* share with each other and with nobody else. */
#pragma once

#include <locale.h>
#include <sys/stat.h>

#include "util/archive.h"
#include "util/libarchive.h"

#define ARCHIVE_BLOCK (256 * 1024)

/* A tar that is being read from a descriptor. */
struct source {
	struct archive *archive;
	int fd;
	GCancellable *cancel;
	archive_progress progress;
	void *progress_data;
	gint64 total, read; /* bytes of the archive */
	locale_t before;    /* the thread's, while names are taken as UTF-8 */
	char *buffer;
};

gboolean source_open(struct source *source, int fd, const struct archive_unpack *spec,
		     GError **error);
void source_close(struct source *source);

/* The next member, or NULL: at the end, or with an error set. */
struct archive_entry *source_next(struct source *source, GError **error);

/* Sets what libarchive says; that it was cancelled, when that is why. Returns FALSE. */
gboolean source_failed(struct source *source, GError **error);

/* Names are bytes: with this locale libarchive passes them through. */
locale_t names_are_utf8(void);
void names_restore(locale_t before);

/* "./a//b/" is "a/b"; NULL and 400 for one with "..". */
char *archive_clean_name(const char *name, GError **error);

/* --- what belongs to owners but is no owner: ACLs and file capabilities --------- */

/* Changes the ids in the value of a security.capability or POSIX ACL; may grow it. */
gboolean archive_map_xattr(const char *name, GByteArray *value, archive_owner owner, void *data);

/* The kernel's value of an entry's ACL of the type (ARCHIVE_ENTRY_ACL_TYPE_...); NULL: none. */
GByteArray *archive_acl_value(struct archive_entry *entry, int type);

/* The other way. FALSE when VALUE is none. */
gboolean archive_acl_entries(struct archive_entry *entry, int type, const GByteArray *value);

/* --- squashfs -------------------------------------------------------------------- */

gboolean squashfs_unpack(int fd, int dir, const struct archive_unpack *spec, GError **error);
gboolean squashfs_read_member(int fd, const char *name, gsize max, char **ret, gsize *ret_len,
			      GError **error);
