/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libarchive, loaded by the first archive that comes: through libxml2 it brings ICU and libstdc++,
 * 2.5 MB of a daemon that may never see one. Its functions are called by their names as ever.
 */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <glib.h>

#define LIBARCHIVE_FUNCTIONS(X)                    \
	X(archive_entry_acl_add_entry)             \
	X(archive_entry_acl_next)                  \
	X(archive_entry_acl_reset)                 \
	X(archive_entry_filetype)                  \
	X(archive_entry_free)                      \
	X(archive_entry_gid)                       \
	X(archive_entry_hardlink)                  \
	X(archive_entry_mtime)                     \
	X(archive_entry_mtime_nsec)                \
	X(archive_entry_new)                       \
	X(archive_entry_pathname)                  \
	X(archive_entry_perm)                      \
	X(archive_entry_rdevmajor)                 \
	X(archive_entry_rdevminor)                 \
	X(archive_entry_set_gid)                   \
	X(archive_entry_set_hardlink)              \
	X(archive_entry_set_mode)                  \
	X(archive_entry_set_mtime)                 \
	X(archive_entry_set_pathname)              \
	X(archive_entry_set_rdevmajor)             \
	X(archive_entry_set_rdevminor)             \
	X(archive_entry_set_size)                  \
	X(archive_entry_set_symlink)               \
	X(archive_entry_set_uid)                   \
	X(archive_entry_size)                      \
	X(archive_entry_sparse_add_entry)          \
	X(archive_entry_sparse_next)               \
	X(archive_entry_sparse_reset)              \
	X(archive_entry_symlink)                   \
	X(archive_entry_uid)                       \
	X(archive_entry_xattr_add_entry)           \
	X(archive_entry_xattr_next)                \
	X(archive_entry_xattr_reset)               \
	X(archive_error_string)                    \
	X(archive_read_data)                       \
	X(archive_read_data_block)                 \
	X(archive_read_free)                       \
	X(archive_read_new)                        \
	X(archive_read_next_header)                \
	X(archive_read_open)                       \
	X(archive_read_support_filter_bzip2)       \
	X(archive_read_support_filter_gzip)        \
	X(archive_read_support_filter_lzma)        \
	X(archive_read_support_filter_xz)          \
	X(archive_read_support_filter_zstd)        \
	X(archive_read_support_format_tar)         \
	X(archive_set_error)                       \
	X(archive_write_close)                     \
	X(archive_write_data)                      \
	X(archive_write_fail)                      \
	X(archive_write_free)                      \
	X(archive_write_header)                    \
	X(archive_write_new)                       \
	X(archive_write_open)                      \
	X(archive_write_set_bytes_in_last_block)   \
	X(archive_write_set_bytes_per_block)       \
	X(archive_write_set_format_pax_restricted) \
	X(archive_write_set_options)

struct libarchive {
#define LIBARCHIVE_FIELD(name) __typeof__(name) *name;
	LIBARCHIVE_FUNCTIONS(LIBARCHIVE_FIELD)
};

/* NULL and 500 when it is not there; whoever begins with an archive looks. Never unloaded. */
const struct libarchive *libarchive(GError **error);

#ifndef LIBARCHIVE_ITSELF
#define archive_entry_acl_add_entry (libarchive(NULL)->archive_entry_acl_add_entry)
#define archive_entry_acl_next (libarchive(NULL)->archive_entry_acl_next)
#define archive_entry_acl_reset (libarchive(NULL)->archive_entry_acl_reset)
#define archive_entry_filetype (libarchive(NULL)->archive_entry_filetype)
#define archive_entry_free (libarchive(NULL)->archive_entry_free)
#define archive_entry_gid (libarchive(NULL)->archive_entry_gid)
#define archive_entry_hardlink (libarchive(NULL)->archive_entry_hardlink)
#define archive_entry_mtime (libarchive(NULL)->archive_entry_mtime)
#define archive_entry_mtime_nsec (libarchive(NULL)->archive_entry_mtime_nsec)
#define archive_entry_new (libarchive(NULL)->archive_entry_new)
#define archive_entry_pathname (libarchive(NULL)->archive_entry_pathname)
#define archive_entry_perm (libarchive(NULL)->archive_entry_perm)
#define archive_entry_rdevmajor (libarchive(NULL)->archive_entry_rdevmajor)
#define archive_entry_rdevminor (libarchive(NULL)->archive_entry_rdevminor)
#define archive_entry_set_gid (libarchive(NULL)->archive_entry_set_gid)
#define archive_entry_set_hardlink (libarchive(NULL)->archive_entry_set_hardlink)
#define archive_entry_set_mode (libarchive(NULL)->archive_entry_set_mode)
#define archive_entry_set_mtime (libarchive(NULL)->archive_entry_set_mtime)
#define archive_entry_set_pathname (libarchive(NULL)->archive_entry_set_pathname)
#define archive_entry_set_rdevmajor (libarchive(NULL)->archive_entry_set_rdevmajor)
#define archive_entry_set_rdevminor (libarchive(NULL)->archive_entry_set_rdevminor)
#define archive_entry_set_size (libarchive(NULL)->archive_entry_set_size)
#define archive_entry_set_symlink (libarchive(NULL)->archive_entry_set_symlink)
#define archive_entry_set_uid (libarchive(NULL)->archive_entry_set_uid)
#define archive_entry_size (libarchive(NULL)->archive_entry_size)
#define archive_entry_sparse_add_entry (libarchive(NULL)->archive_entry_sparse_add_entry)
#define archive_entry_sparse_next (libarchive(NULL)->archive_entry_sparse_next)
#define archive_entry_sparse_reset (libarchive(NULL)->archive_entry_sparse_reset)
#define archive_entry_symlink (libarchive(NULL)->archive_entry_symlink)
#define archive_entry_uid (libarchive(NULL)->archive_entry_uid)
#define archive_entry_xattr_add_entry (libarchive(NULL)->archive_entry_xattr_add_entry)
#define archive_entry_xattr_next (libarchive(NULL)->archive_entry_xattr_next)
#define archive_entry_xattr_reset (libarchive(NULL)->archive_entry_xattr_reset)
#define archive_error_string (libarchive(NULL)->archive_error_string)
#define archive_read_data (libarchive(NULL)->archive_read_data)
#define archive_read_data_block (libarchive(NULL)->archive_read_data_block)
#define archive_read_free (libarchive(NULL)->archive_read_free)
#define archive_read_new (libarchive(NULL)->archive_read_new)
#define archive_read_next_header (libarchive(NULL)->archive_read_next_header)
#define archive_read_open (libarchive(NULL)->archive_read_open)
#define archive_read_support_filter_bzip2 (libarchive(NULL)->archive_read_support_filter_bzip2)
#define archive_read_support_filter_gzip (libarchive(NULL)->archive_read_support_filter_gzip)
#define archive_read_support_filter_lzma (libarchive(NULL)->archive_read_support_filter_lzma)
#define archive_read_support_filter_xz (libarchive(NULL)->archive_read_support_filter_xz)
#define archive_read_support_filter_zstd (libarchive(NULL)->archive_read_support_filter_zstd)
#define archive_read_support_format_tar (libarchive(NULL)->archive_read_support_format_tar)
#define archive_set_error (libarchive(NULL)->archive_set_error)
#define archive_write_close (libarchive(NULL)->archive_write_close)
#define archive_write_data (libarchive(NULL)->archive_write_data)
#define archive_write_fail (libarchive(NULL)->archive_write_fail)
#define archive_write_free (libarchive(NULL)->archive_write_free)
#define archive_write_header (libarchive(NULL)->archive_write_header)
#define archive_write_new (libarchive(NULL)->archive_write_new)
#define archive_write_open (libarchive(NULL)->archive_write_open)
#define archive_write_set_bytes_in_last_block \
	(libarchive(NULL)->archive_write_set_bytes_in_last_block)
#define archive_write_set_bytes_per_block (libarchive(NULL)->archive_write_set_bytes_per_block)
#define archive_write_set_format_pax_restricted \
	(libarchive(NULL)->archive_write_set_format_pax_restricted)
#define archive_write_set_options (libarchive(NULL)->archive_write_set_options)
#endif
