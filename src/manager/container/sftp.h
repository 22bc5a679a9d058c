/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A server of the SSH file transfer protocol, version 3 (draft-ietf-secsh-filexfer-02, with
 * OpenSSH's posix-rename, hardlink, fsync and statvfs), for the files below "/" of this process.
 * It opens regular files and directories alone: no device, pipe or socket is ever opened.
 */
#pragma once

/*
 * Serves the client on IN and OUT until it goes away. FDS is a directory fd of this process's
 * /proc/self/fd. 0 at the client's end, -EPROTO when it does not keep to the protocol.
 */
int sftp_serve(int in, int out, int fds);
