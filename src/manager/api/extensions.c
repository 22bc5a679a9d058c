/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A line for each extension that works, with the file that makes it true. Nothing else may be
 * added here: a client that misses a name says so clearly, one that trusts it fails strangely.
 */
#include "api/extensions.h"

#include <stddef.h>

const char *const api_extensions[] = {
	"etag",					     /* request_if_match() of every object */
	"patch",				     /* PATCH merges */
	"operation_description",		     /* core/operation.c */
	"event_lifecycle",			     /* core/event.c */
	"event_lifecycle_requestor_address",	     /* core/event.c */
	"event_location",			     /* core/event.c */
	"event_project",			     /* core/event.c */
	"api_os",				     /* core/environment.c */
	"kernel_features",			     /* core/environment.c */
	"lxc_features",				     /* core/environment.c */
	"firewall_driver",			     /* core/environment.c */
	"instances",				     /* api/instances.c */
	"container_full",			     /* api/instances.c: recursion=2 */
	"instance_get_full",			     /* api/instances.c */
	"api_filtering",			     /* api/instances.c, api/images.c */
	"instance_all_projects",		     /* api/instances.c */
	"instance_bulk_state_change",		     /* api/instances.c */
	"file_delete",				     /* api/instance_files.c */
	"file_append",				     /* api/instance_files.c */
	"file_symlinks",			     /* api/instance_files.c */
	"file_get_symlink",			     /* api/instance_files.c */
	"directory_manipulation",		     /* api/instance_files.c */
	"instance_file_head",			     /* api/instance_files.c */
	"container_exec_recording",		     /* api/instance_exec.c */
	"container_exec_signal_handling",	     /* api/instance_exec.c */
	"container_exec_user_group_cwd",	     /* api/instance_exec.c */
	"console",				     /* api/instance_console.c */
	"container_edit_metadata",		     /* api/metadata.c */
	"container_image_properties",		     /* api/instances_post.c */
	"entity_description",			     /* core/instance_update.c */
	"container_last_used_at",		     /* core/instance_start.c */
	"container_cpu_time",			     /* core/instance_show.c */
	"container_host_shutdown_timeout",	     /* core/instances.c */
	"container_stop_priority",		     /* core/instances.c */
	"container_protection_delete",		     /* core/instance_rename.c */
	"container_protection_shift",		     /* core/instance_start.c */
	"id_map",				     /* core/instance_config.c */
	"id_map_base",				     /* core/instance_config.c */
	"id_map_current",			     /* core/instance_start.c */
	"container_mount_propagation",		     /* drivers/device/disk.c */
	"container_raw_mount",			     /* drivers/device/disk.c */
	"container_disk_shift",			     /* drivers/device/disk.c */
	"unix_device_rename",			     /* drivers/device/unix.c */
	"container_nic_routes",			     /* drivers/device/nic_p2p.c */
	"container_syscall_filtering",		     /* drivers/instance/seccomp.c */
	"kernel_limits",			     /* drivers/instance/lxc_config.c */
	"linux_sysctl",				     /* drivers/instance/lxc_config.c */
	"network_counters_errors_dropped",	     /* drivers/instance/lxc_netns.c */
	"storage",				     /* api/pools.c */
	"resources",				     /* api/pools.c: GET .../resources */
	"resources_cpu_socket",			     /* core/resources_cpu.c */
	"resources_numa",			     /* core/resources_cpu.c */
	"resources_v2",				     /* core/resources.c */
	"resources_disk_sata",			     /* core/resources_storage.c */
	"resources_network_firmware",		     /* core/resources_network.c */
	"resources_disk_id",			     /* core/resources_storage.c */
	"resources_usb_pci",			     /* core/resources_usb.c */
	"resources_cpu_threads_numa",		     /* core/resources_cpu.c */
	"resources_cpu_core_die",		     /* core/resources_cpu.c */
	"resources_system",			     /* core/resources_system.c */
	"resources_pci_iommu",			     /* core/resources_pci.c */
	"resources_network_usb",		     /* core/resources_network.c */
	"resources_disk_address",		     /* core/resources_storage.c */
	"resources_gpu_usb",			     /* core/resources_pci.c */
	"resources_pci_vpd",			     /* core/resources_pci.c */
	"storage_btrfs_mount_options",		     /* drivers/storage/btrfs_pool.c */
	"storage_volatile_initial_source",	     /* drivers/storage/btrfs_pool.c */
	"storage_volume_api_filtering",		     /* api/pools.c */
	"storage_volume_state",			     /* api/pools.c */
	"storage_volumes_all_projects",		     /* api/pools.c */
	"projects",				     /* api/projects.c */
	"projects_limits",			     /* core/project_limits.c */
	"projects_restrictions",		     /* core/project_limits.c */
	"project_usage",			     /* api/projects.c */
	"warnings",				     /* api/warnings.c */
	"server_supported_storage_drivers",	     /* core/pool.c */
	"container_backup",			     /* api/backups.c */
	"backup_compression",			     /* core/backup.c */
	"backup_compression_algorithm",		     /* core/backup.c */
	"backup_override_name",			     /* api/instance_copy.c */
	"container_backup_override_pool",	     /* core/backup_import.c */
	"projects_compression",			     /* core/backup.c */
	"projects_restricted_backups_and_snapshots", /* core/snapshot.c */
	"container_incremental_copy",		     /* core/copy.c */
	"container_copy_project",		     /* core/copy.c */
	"container_stateless_copy",		     /* core/copy.c */
	"container_only_migration",		     /* core/copy.c */
	"instance_allow_inconsistent_copy",	     /* core/copy.c */
	"instance_pool_move",			     /* core/move.c */
	"instance_project_move",		     /* core/move.c */
	"snapshot_expiry",			     /* core/snapshot_schedule.c */
	"snapshot_expiry_creation",		     /* core/snapshot.c */
	"snapshot_scheduling",			     /* core/snapshot_schedule.c */
	"snapshot_schedule_aliases",		     /* core/snapshot_schedule.c */
	"instance_snapshot_never",		     /* core/snapshot_schedule.c */
	"image_compression_algorithm",		     /* core/publish.c */
	"image_create_aliases",			     /* core/publish.c */
	"image_source_project",			     /* api/images_publish.c */
	"images_expiry",			     /* core/publish.c */
	"compression_squashfs",			     /* core/publish.c */
	NULL,
};
