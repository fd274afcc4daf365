/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shapes of real hosts (host_shape.h), and what the survey must say of each. Register values, addresses, groups
 * and ids are facts from public logs, which the comment above each shape names; what a log leaves open is filled
 * in with what such a machine has, and the comment says so.
 */
#ifndef HOST_SHAPES_H
#define HOST_SHAPES_H

struct host_shape {
	const char *name;
	const char *shape;
	const char *result;
};

#define MEM_8G "mem 0 9fbff System RAM\nmem f0000 fffff Reserved\nmem 100000 7fffffff System RAM\n" \
	"mem 100000000 27fffffff System RAM\n"

static const struct host_shape host_shapes[] = {
/*
 * Units, RMRR of the graphics and ids of https://github.com/strongtz/i915-sriov-dkms/issues/339 (a small Intel
 * machine of the 12th generation, dmesg of DMAR). Filled in: a drive and a NIC behind root ports, the group of
 * the chipset.
 */
{ "laptop-igfx",
	"kernel 6.8.12\ncpu GenuineIntel vmx\ncmdline intel_iommu=on root=UUID=" SHAPE_SECRET "\nirq IR\n"
	"dmar 39 5\ndrhd fed90000 0 0 e:0/2.0\ndrhd fed91000 0 1 i:0/1e.7 h:0/1e.6\n"
	"rmrr 4b000000 4f7fffff 0 e:0/2.0\nend\n"
	"unit 0 fed90000 1c0000c40660462 29a00f0505e\nunit 1 fed91000 8d2008c40660462 f050da\n"
	"fn 0000:00:00.0 8086:4617 60000 group=1 unit=1\n"
	"fn 0000:00:02.0 8086:46d1 30000 group=0 unit=0 driver=i915 msi vfs\n"
	"fn 0000:00:14.0 8086:54ed c0330 group=2 unit=1 driver=xhci_hcd msi\n"
	"fn 0000:00:1c.0 8086:54be 60400 group=3 unit=1 sec=01 sub=01 type=4\n"
	"fn 0000:00:1d.0 8086:54b0 60400 group=4 unit=1 sec=02 sub=02 type=4\n"
	"fn 0000:00:1f.0 8086:5481 60100 group=5 unit=1\n"
	"fn 0000:00:1f.3 8086:54c8 40380 group=5 unit=1 driver=snd_hda_intel msi\n"
	"fn 0000:00:1f.4 8086:54a3 c0500 group=5 unit=1 driver=i801_smbus\n"
	"fn 0000:01:00.0 8086:125c 20000 group=6 unit=1 driver=igc msi msix vpd serial\n"
	"fn 0000:02:00.0 144d:a80a 10802 group=7 unit=1 driver=nvme msi msix serial\n"
	"resv 0 direct-relaxable\n" MEM_8G,
	"0000:00:02.0 no has-vfs no-msix quirk\n0000:00:14.0 no usb no-msix\n0000:00:1f.3 no no-msix\n"
	"0000:00:1f.4 no no-msix\n0000:01:00.0 yes\n0000:02:00.0 yes\n"
	"note units-differ\n" },

/*
 * The eight units of https://github.com/utcs-scea/LAKE/issues/10 (a server with two sockets, dmesg of DMAR: seven
 * bases are in the log, the unit of the rest is filled in). NICs and drives behind units of both sockets filled in.
 */
{ "two-sockets",
	"kernel 6.0.0\ncpu GenuineIntel vmx\ncmdline intel_iommu=on\nirq IR\ndmar 46 1\n"
	"drhd d37fc000 0 0 b:3a/0.0\ndrhd e0ffc000 0 0 b:5d/0.0\ndrhd ee7fc000 0 0 b:85/0.0\ndrhd fbffc000 0 0 b:ae/0.0\n"
	"drhd aaffc000 0 0 b:17/0.0\ndrhd b87fc000 0 0 b:d7/0.0\ndrhd c5ffc000 0 0 b:d9/0.0\ndrhd 9d7fc000 0 1 i:0/5.4\n"
	"atsr 0 b:3a/0.0 b:5d/0.0\nend\n"
	"unit 0 d37fc000 8d2078c106f0466 f020df\nunit 1 e0ffc000 8d2078c106f0466 f020df\n"
	"unit 2 ee7fc000 8d2078c106f0466 f020df\nunit 3 fbffc000 8d2078c106f0466 f020df\n"
	"unit 4 aaffc000 8d2078c106f0466 f020df\nunit 5 b87fc000 8d2078c106f0466 f020df\n"
	"unit 7 9d7fc000 8d2078c106f0466 f020df\n"
	"fn 0000:17:00.0 8086:2030 60400 group=10 unit=4 sec=18 sub=18 type=4\n"
	"fn 0000:18:00.0 8086:1572 20000 group=11 unit=4 driver=i40e msix ats\n"
	"fn 0000:18:00.1 8086:1572 20000 group=12 unit=4 driver=vfio-pci msi-on msix\n"
	"fn 0000:3a:00.0 8086:2030 60400 group=13 unit=0 sec=3b sub=3b type=4\n"
	"fn 0000:3b:00.0 144d:a808 10802 group=14 unit=0 driver=nvme msix\n"
	"fn 0000:5d:00.0 8086:2030 60400 group=15 unit=1 sec=5e sub=5e type=4\n"
	"fn 0000:5e:00.0 15b3:1017 20000 group=16 unit=1 driver=mlx5_core msix ats-on\n"
	"fn 0000:85:00.0 8086:2030 60400 group=17 unit=2 sec=86 sub=86 type=4\n"
	"fn 0000:86:00.0 10de:1db6 30200 group=18 unit=2 driver=nvidia msi\n"
	"fn 0000:ae:00.0 8086:2030 60400 group=19 unit=3\nfn 0000:d7:00.0 8086:2030 60400 group=20 unit=5\n"
	"mem 0 9ffff System RAM\nmem 100000 63ffffff System RAM\nmem 64000000 8fffffff Reserved\n"
	"mem 100000000 303fffffff System RAM\n",
	"0000:18:00.0 yes\n0000:18:00.1 after-change plain-msi\n0000:3b:00.0 yes\n0000:5e:00.0 after-change ats\n"
	"0000:86:00.0 no no-msix\n"
	"dmar6 no function of its scope is present\n" },
/* The same before the IOMMU is switched on: which unit serves what comes from the table. */
{ "two-sockets-off",
	"kernel 6.0.0\ncpu GenuineIntel vmx\ncmdline quiet\nirq IR\ndmar 46 1\n"
	"drhd d37fc000 0 0 b:3a/0.0\ndrhd aaffc000 0 0 b:17/0.0/0.0\ndrhd 9d7fc000 0 1 i:0/5.4\nend\n"
	"fn 0000:17:00.0 8086:2030 60400 sec=18 sub=1a type=4\nfn 0000:18:00.0 10b5:8747 60400 sec=19 sub=1a type=5\n"
	"fn 0000:19:08.0 10b5:8747 60400 sec=1a sub=1a type=6\nfn 0000:1a:00.0 8086:1572 20000 driver=i40e msix\n"
	"fn 0000:3a:00.0 8086:2030 60400 sec=3b sub=3b type=4\nfn 0000:3b:00.0 144d:a808 10802 driver=nvme msix\n"
	"fn 0000:00:11.5 8086:a1d2 10601 driver=ahci msi\n" MEM_8G,
	"host iommu-off\n0000:00:11.5 no no-msix @dmar2\n0000:1a:00.0 after-change @dmar1\n"
	"0000:3b:00.0 after-change @dmar0\n" },

/*
 * Units, width, command line and "Enable scalable mode if hardware supports" of
 * https://github.com/intel/intel-device-plugins-for-kubernetes/issues/1836 (M50FCP, two sockets; ten units there).
 * Three of them here, with the accelerators that this board is bought for.
 */
{ "scalable-mode",
	"kernel 5.14.0\ncpu GenuineIntel vmx\ncmdline intel_iommu=on,sm_on\nirq IR\ndmar 52 1\n"
	"drhd d97fc000 0 0 b:48/1.0\ndrhd e17fc000 0 0 e:6a/1.0\ndrhd f9ffc000 0 1 i:0/7.7\nend\n"
	"unit 0 d97fc000 19ed008c40780c66 3ee9e86f050df\nunit 1 e17fc000 19ed008c40780c66 3ee9e86f050df\n"
	"unit 2 f9ffc000 19ed008c40780c66 3ee9e86f050df\n"
	"fn 0000:48:01.0 8086:352a 60400 group=1 unit=0 sec=49 sub=49 type=4\n"
	"fn 0000:49:00.0 8086:1593 20000 group=2 unit=0 driver=ice msix serial ats-on\n"
	"fn 0000:6a:01.0 8086:0b25 88000 group=3 unit=1 driver=idxd msix ats-on pri-on pasid-on\n"
	"fn 0000:00:0a.0 8086:09a2 88000 group=4 unit=2\n" MEM_8G,
	"0000:00:0a.0 no scalable-mode no-msix\n0000:49:00.0 after-change scalable-mode ats\n"
	"0000:6a:01.0 after-change scalable-mode pasid pri ats\n" },

/* The same machine with a kernel that has scalable mode as its default: nothing in sysfs says whether it is on. */
{ "scalable-unknown",
	"kernel 6.12.107\ncpu GenuineIntel vmx\ncmdline intel_iommu=on\nirq IR\ndmar 52 1\ndrhd d97fc000 0 1\nend\n"
	"unit 0 d97fc000 19ed008c40780c66 3ee9e86f050df\n"
	"fn 0000:49:00.0 8086:1593 20000 group=2 unit=0 driver=ice msix\n" MEM_8G,
	"0000:49:00.0 after-change scalable-mode\n" },
{ "scalable-off",
	"kernel 6.12.107\ncpu GenuineIntel vmx\ncmdline intel_iommu=on intel_iommu=sm_off\nirq IR\ndmar 52 1\n"
	"drhd d97fc000 0 1\nend\nunit 0 d97fc000 19ed008c40780c66 3ee9e86f050df\n"
	"fn 0000:49:00.0 8086:1593 20000 group=2 unit=0 driver=ice msix\n" MEM_8G,
	"0000:49:00.0 yes\n" },

/*
 * RMRRs and their devices of https://github.com/coreos/bugs/issues/2108 (HP Gen9, "Setting identity map for
 * device"); that Linux refuses such a device: https://github.com/harvester/harvester/issues/7340.
 */
{ "rmrr-server",
	"kernel 6.1.0\ncpu GenuineIntel vmx\ncmdline intel_iommu=on\nirq IR\ndmar 46 1\ndrhd fbffc000 0 0 b:80/2.0\n"
	"drhd c7ffc000 0 1\n"
	"rmrr 791f4000 791f7fff 0 e:0/3.0/0.0 e:0/3.0/0.1 e:80/2.0/0.0\nrmrr 79170000 79172fff 0 e:0/1a.0 e:0/1d.0\nend\n"
	"unit 0 fbffc000 8d2078c106f0466 f020df\nunit 1 c7ffc000 8d2078c106f0466 f020df\n"
	"fn 0000:00:03.0 8086:6f08 60400 group=1 unit=1 sec=04 sub=04 type=4\n"
	"fn 0000:04:00.0 8086:1528 20000 group=2 unit=1 driver=ixgbe msix\n"
	"fn 0000:04:00.1 8086:1528 20000 group=3 unit=1 driver=vfio-pci msix\n"
	"fn 0000:00:1a.0 8086:8d2d c0320 group=4 unit=1 driver=ehci-pci\n"
	"fn 0000:80:02.0 8086:6f04 60400 group=5 unit=0 sec=81 sub=81 type=4\n"
	"fn 0000:81:00.0 15b3:1015 20000 group=6 unit=0 driver=mlx5_core msix\n"
	"fn 0000:81:00.1 15b3:1015 20000 group=7 unit=0 driver=mlx5_core msix\n"
	"resv 2 direct\nresv 3 direct\nresv 4 direct-relaxable\nresv 6 direct\nresv 7 reserved\n" MEM_8G,
	"0000:00:1a.0 no usb no-msix\n0000:04:00.0 after-change rmrr\n0000:04:00.1 after-change rmrr\n"
	"0000:81:00.0 after-change rmrr\n0000:81:00.1 yes\n" },
/* The same with the IOMMU off: RMRRs come from the table then, and no groups are known. */
{ "rmrr-off",
	"kernel 6.1.0\ncpu GenuineIntel vmx\ncmdline quiet\nirq IR\ndmar 46 1\ndrhd fbffc000 0 0 b:80/2.0\n"
	"drhd c7ffc000 0 1\nrmrr 791f4000 791f7fff 0 e:0/3.0/0.0\nrmrr 79170000 79172fff 0 e:0/1a.0\nend\n"
	"fn 0000:00:03.0 8086:6f08 60400 sec=04 sub=04 type=4\nfn 0000:04:00.0 8086:1528 20000 driver=ixgbe msix\n"
	"fn 0000:04:00.1 8086:1528 20000 driver=ixgbe msix\nfn 0000:00:1a.0 8086:8d2d c0320 driver=ehci-pci\n" MEM_8G,
	"host iommu-off\n0000:00:1a.0 no usb no-msix @dmar1\n0000:04:00.0 after-change rmrr @dmar1\n"
	"0000:04:00.1 after-change @dmar1\n"
	"dmar0 no function of its scope is present\n" },

/*
 * "x2apic is disabled because BIOS sets x2apic opt out bit", the unit's base and the memory map of
 * https://github.com/apptainer/singularity/issues/4774 (Fujitsu PRIMERGY CX2550 M2, Xeon E5-2650 v4).
 */
{ "x2apic-opt-out",
	"kernel 5.3.0\ncpu GenuineIntel vmx\ncmdline intel_iommu=on memmap=16M!0x100000000\nirq IR\ndmar 46 3\n"
	"drhd c7ffc000 0 1\nend\nunit 0 c7ffc000 8d2078c106f0466 f020df\n"
	"fn 0000:02:00.0 8086:1521 20000 group=20 unit=0 driver=igb msi msix vfs\n"
	"fn 0000:02:10.0 8086:1520 20000 group=30 unit=0 driver=igbvf msix physfn=0000:02:00.0\n"
	"mem e0000 fffff Reserved\nmem 100000 760f1fff System RAM\nmem 760f2000 77678fff Reserved\n"
	"mem 77679000 776dafff ACPI Tables\nmem 776db000 7b85ffff ACPI Non-volatile Storage\nmem 7b860000 7bd27fff Reserved\n"
	"mem 7bd28000 7bd28fff System RAM\nmem 7bd29000 7bd4efff Reserved\nmem 7bd4f000 7bffffff System RAM\n"
	"mem 7c000000 8fffffff Reserved\nmem fed1c000 fed44fff Reserved\nmem ff000000 ff3fffff Reserved\n"
	"mem ff500000 ffffffff Reserved\nmem 100000000 407fffffff System RAM\n",
	"0000:02:00.0 after-change has-vfs\n0000:02:10.0 no virtual-function\nnote x2apic-opt-out\n" },

/*
 * Units and "No firmware reserved region can cover this RMRR" of
 * https://github.com/linux-surface/linux-surface/issues/478; ACPI devices in the scopes:
 * https://github.com/linux-surface/linux-surface/issues/890. Filled in: the functions.
 */
{ "surface",
	"kernel 5.12.12\ncpu GenuineIntel vmx\ncmdline intel_iommu=on\nirq IR\ndmar 39 1\ndrhd fed90000 0 0 e:0/2.0\n"
	"drhd fed91000 0 1 i:f0/1f.0 a:0/15.0\nrmrr 3e2e0000 3e2fffff 0 e:0/14.0\nrmrr ad000000 af1fffff 0 e:0/2.0\nend\n"
	"unit 0 fed90000 c0000020660462 f0101a\nunit 1 fed91000 d2008020660462 f010da\n"
	"fn 0000:00:02.0 8086:1616 30000 group=0 unit=0 driver=i915 msi\n"
	"fn 0000:00:14.0 8086:9cb1 c0330 group=1 unit=1 driver=xhci_hcd msi\n"
	"fn 0000:01:00.0 11ab:2b38 20000 group=2 unit=1 driver=mwifiex_pcie msi\n" MEM_8G,
	"0000:00:02.0 no no-msix quirk\n0000:00:14.0 no usb no-msix\n0000:01:00.0 no no-msix\nnote units-differ\n" },

/*
 * "IOMMU feature ... inconsistent" and the Tesla P4 without MSI-X of
 * https://github.com/harvester/harvester/issues/7149; capabilities of the units as on laptop-igfx, whose log has
 * the same lines.
 */
{ "units-differ",
	"kernel 5.14.21\ncpu GenuineIntel vmx\ncmdline intel_iommu=on\nirq IR\ndmar 39 1\ndrhd fed90000 0 0 e:0/2.0\n"
	"drhd fed91000 0 1\nend\nunit 0 fed90000 1c0000c40660462 29a00f0505e\nunit 1 fed91000 8d2008c40660462 f050da\n"
	"fn 0000:00:01.0 8086:460d 60400 group=1 unit=1 sec=01 sub=01 type=4\n"
	"fn 0000:00:02.0 8086:4692 38000 group=0 unit=0 driver=i915 msi\n"
	"fn 0000:01:00.0 10de:1bb3 30200 group=2 unit=1 driver=vfio-pci msi\n" MEM_8G,
	"0000:00:02.0 no no-msix\n0000:01:00.0 no no-msix\nnote units-differ\n" },

/*
 * "DMAR: dmar1: Using Queued invalidation", no group for 00:02.0, and the groups of
 * https://github.com/intel/gvt-linux/issues/60: the unit of the graphics is switched off.
 */
{ "igfx-off",
	"kernel 5.4.0\ncpu GenuineIntel vmx\ncmdline intel_iommu=on,igfx_off\nirq IR\ndmar 39 1\ndrhd fed90000 0 0 e:0/2.0\n"
	"drhd fed91000 0 1\nend\nunit 1 fed91000 d2008c40660462 f050da\n"
	"fn 0000:00:02.0 8086:5912 30000 driver=i915 msi\n"
	"fn 0000:00:1f.0 8086:a145 60100 group=6 unit=1\nfn 0000:00:1f.2 8086:a121 58000 group=6 unit=1\n"
	"fn 0000:00:1f.3 8086:a170 40300 group=6 unit=1 driver=snd_hda_intel msi\n"
	"fn 0000:00:1c.0 8086:a114 60400 group=5 unit=1 sec=01 sub=01 type=4\n"
	"fn 0000:01:00.0 10ec:8168 20000 group=7 unit=1 driver=r8169 msi msix vpd\n" MEM_8G,
	"0000:00:02.0 no unit-ignored no-msix quirk @dmar0\n0000:00:1f.2 no no-msix\n0000:00:1f.3 no no-msix\n"
	"0000:01:00.0 no quirk\n"
	"dmar0 it serves graphics alone, and the command line says igfx_off\n" },

/*
 * A DMAR table, VT-d on in the firmware, and an empty /sys/class/iommu:
 * https://github.com/fwupd/fwupd/pull/2093 (Lenovo TP-N1E).
 */
{ "iommu-off",
	"kernel 5.6.11\ncpu GenuineIntel vmx\ncmdline ro quiet\nirq IR\ndmar 39 5\ndrhd fed90000 0 0 e:0/2.0\n"
	"drhd fed91000 0 1\nend\n"
	"fn 0000:00:02.0 8086:191b 30000 driver=i915 msi\nfn 0000:04:00.0 144d:a802 10802 driver=nvme msix\n" MEM_8G,
	"host iommu-off\n0000:00:02.0 no no-msix quirk @dmar0\n0000:04:00.0 after-change @dmar1\n" },

/* intel_iommu=on and no group at all: https://github.com/foxlet/macOS-Simple-KVM/issues/143 (9c31, Haswell). */
{ "no-vtd",
	"kernel 5.2.0\ncpu GenuineIntel vmx\ncmdline intel_iommu=on iommu=pt vfio-pci.ids=8086:9c31\nirq XT\n"
	"fn 0000:00:14.0 8086:9c31 c0330 driver=xhci_hcd msi\nfn 0000:02:00.0 144d:a801 10601 driver=ahci msix\n" MEM_8G,
	"host no-vtd\n0000:00:14.0 no usb no-msix\n0000:02:00.0 after-change\n" },

/* Groups of https://github.com/pcengines/apu2-documentation/issues/236 (PC Engines APU2, "AMD-Vi: ..."). */
{ "amd",
	"kernel 4.9.0\ncpu AuthenticAMD svm\ncmdline amd_iommu=on\nirq IR\nivrs\niommu ivhd0\n"
	"fn 0000:00:02.2 1022:1439 60400 group=1 sec=01 sub=01 type=4\n"
	"fn 0000:01:00.0 8086:157b 20000 group=1 driver=igb msix\n"
	"fn 0000:04:00.0 168c:003c 28000 group=1 driver=ath10k_pci msi\n" MEM_8G,
	"host amd-iommu\n0000:01:00.0 no\n0000:04:00.0 no no-msix\n" },
/* An AMD CPU whose firmware keeps the IOMMU switched off. */
{ "amd-no-iommu",
	"kernel 6.12.1\ncpu AuthenticAMD svm\ncmdline quiet\nirq IO\nfn 0000:01:00.0 8086:157b 20000 driver=igb msix\n" MEM_8G,
	"host amd-iommu\n0000:01:00.0 no\n" },

/* A Firecracker microVM: no IOMMU, virtio on PCI (https://github.com/firecracker-microvm/firecracker, docs/pci). */
{ "cloud-vm",
	"kernel 6.18.44\ncpu GenuineIntel hypervisor\ncmdline console=ttyS0 token=" SHAPE_SECRET " -- intel_iommu=on\nirq IO\n"
	"fn 0000:00:00.0 8086:0d57 60000\nfn 0000:00:02.0 1af4:1042 18000 driver=virtio-pci msix virtio=0\n"
	"fn 0000:00:03.0 1af4:1041 20000 driver=virtio-pci msix virtio=1\n"
	"fn 0000:00:04.0 1af4:1044 ff0000 driver=vfio-pci msix\n"
	"mem 0 9fbff System RAM\nmem 9fc00 fffff Reserved\nmem 100000 bfffffff System RAM\nmem eec00000 febfffff Reserved\n"
	"mem 100000000 63fffffff System RAM\n",
	"host vm-without-iommu\n0000:00:02.0 after-change virtio\n0000:00:03.0 after-change\n"
	"0000:00:04.0 unknown virtio-unread\nnote no-kvm\n" },

/*
 * Functions of https://github.com/QubesOS/qubes-issues/issues/6932 (11th generation, VMD on) and of
 * https://github.com/open-mpi/hwloc/issues/354 (10000:01:00.0, an NVMe drive behind VMD).
 */
{ "vmd",
	"kernel 6.1.0\ncpu GenuineIntel vmx\ncmdline intel_iommu=on\nirq IR\ndmar 39 1\ndrhd fed90000 0 0 e:0/2.0\n"
	"drhd fed91000 0 1\nend\nunit 0 fed90000 1c0000c40660462 29a00f0505e\nunit 1 fed91000 d2008c40660462 f050da\n"
	"fn 0000:00:02.0 8086:9a49 30000 group=0 unit=0 driver=i915 msi\n"
	"fn 0000:00:0e.0 8086:9a0b 10400 group=3 unit=1 driver=vmd msix\n"
	"fn 10000:00:01.0 8086:2030 60400 group=3 unit=1 sec=01 sub=01 type=4\n"
	"fn 10000:01:00.0 1179:0116 10802 group=3 unit=1 driver=nvme msix\n" MEM_8G,
	"0000:00:02.0 no no-msix quirk\n0000:00:0e.0 no group\n10000:01:00.0 no segment\nnote units-differ\n" },

/* An i40e in segment 1: https://github.com/intel/nemu/pull/82. Filled in: one in segment 0 beside it. */
{ "segment-1",
	"kernel 4.18.0\ncpu GenuineIntel vmx\ncmdline intel_iommu=on\nirq IR\ndmar 39 1\ndrhd fed90000 0 1\n"
	"drhd fed91000 1 1\nend\nunit 0 fed90000 d2008c40660462 f050da\nunit 1 fed91000 d2008c40660462 f050da\n"
	"fn 0000:00:01.0 8086:37d2 20000 group=1 unit=0 driver=i40e msix\n"
	"fn 0001:00:01.0 8086:37d2 20000 group=2 unit=1 driver=i40e msix\n" MEM_8G,
	"0000:00:01.0 yes\n0001:00:01.0 no segment\n" },

/* A NIC whose functions and VFs share one group: https://github.com/allegro0132/Openwrt-mlnx-ofed/issues/2. */
{ "sriov-one-group",
	"kernel 5.11.22\ncpu GenuineIntel vmx\ncmdline intel_iommu=on\nirq IR\ndmar 39 1\ndrhd fed91000 0 1\nend\n"
	"unit 0 fed91000 d2008c40660462 f050da\nfn 0000:00:01.0 8086:3ec2 60400 group=1 unit=0 sec=01 sub=01 type=4\n"
	"fn 0000:01:00.0 15b3:1015 20000 group=1 unit=0 driver=mlx5_core msix vpd serial vfs\n"
	"fn 0000:01:00.1 15b3:1015 20000 group=1 unit=0 driver=mlx5_core msix\n"
	"fn 0000:01:00.2 15b3:1016 20000 group=1 unit=0 driver=mlx5_core msix physfn=0000:01:00.0\n"
	"fn 0000:01:00.3 15b3:1016 20000 group=1 unit=0 driver=vfio-pci msix physfn=0000:01:00.0\n" MEM_8G,
	"0000:01:00.0 no has-vfs group\n0000:01:00.1 no group\n0000:01:00.2 no virtual-function\n"
	"0000:01:00.3 no virtual-function\n" },

/*
 * Groups of https://github.com/foxlet/vmra1n/issues/4: an X58 board whose chipset (3405 rev 13) has the fault for
 * which Linux remaps no interrupt. Capabilities of the unit and the NIC filled in.
 */
{ "no-remapping",
	"kernel 5.3.0\ncpu GenuineIntel vmx\ncmdline intel_iommu=on\nirq IO\ndmar 40 1\ndrhd fbfff000 0 1\nend\n"
	"unit 0 fbfff000 c90780106f0462 f0207f\n"
	"fn 0000:00:00.0 8086:3405 60000 group=0 unit=0\nfn 0000:00:03.0 8086:340a 60400 group=2 unit=0 sec=02 sub=02 type=4\n"
	"fn 0000:00:1f.0 8086:3a16 60100 group=10 unit=0\nfn 0000:00:1f.2 8086:3a20 10185 group=10 unit=0 driver=ata_piix\n"
	"fn 0000:02:00.0 10de:1c03 30000 group=11 unit=0 driver=nouveau msi\n"
	"fn 0000:02:00.1 10de:10f1 40300 group=11 unit=0 driver=snd_hda_intel msi\n"
	"fn 0000:05:00.0 8086:10c9 20000 group=12 unit=0 driver=igb msix\n" MEM_8G,
	"host no-remapping\n0000:00:1f.2 no no-msix\n0000:02:00.0 no no-msix quirk\n"
	"0000:02:00.1 no no-msix\n0000:05:00.0 after-change\n" },

/* Of no log: chipsets of 2007 have VT-d without remapping of interrupts and without queued invalidation. */
{ "unit-no-remapping",
	"kernel 5.10.0\ncpu GenuineIntel vmx\ncmdline intel_iommu=on\nirq IO\ndmar 36 0\ndrhd feb00000 0 0 e:0/2.0\n"
	"drhd feb01000 0 1\nend\nunit 0 feb00000 c9008020e30260 1000\nunit 1 feb01000 c9008020630260 1000\n"
	"fn 0000:00:02.0 8086:2a42 30000 group=0 unit=0 driver=i915 msi\n"
	"fn 0000:03:00.0 8086:10d3 20000 group=2 unit=1 driver=e1000e msi msix\n" MEM_8G,
	"host unit-no-remapping\n0000:00:02.0 no no-msix quirk\n0000:03:00.0 no\n" },

/*
 * The example of Linux's Documentation/driver-api/vfio.rst: 06:0d.0 and 06:0d.1 behind the bridge 00:1e.0, all in
 * group 26. Filled in: what they are; a bridge with a PCI Express side (type 7), as ASM1083 is, before it.
 */
{ "conventional-pci",
	"kernel 6.12.107\ncpu GenuineIntel vmx\ncmdline intel_iommu=on\nirq IR\ndmar 39 1\ndrhd fed91000 0 1\nend\n"
	"unit 0 fed91000 d2008c40660462 f050da\nfn 0000:00:1e.0 8086:244e 60401 group=26 unit=0 sec=06 sub=06\n"
	"fn 0000:06:0d.0 1102:0007 20000 group=26 unit=0 msix\nfn 0000:06:0d.1 1102:7005 98000 group=26 unit=0\n"
	"fn 0000:00:1c.0 8086:8c10 60400 group=27 unit=0 sec=03 sub=04 type=4\n"
	"fn 0000:03:00.0 1b21:1080 60401 group=27 unit=0 sec=04 sub=04 type=7\n"
	"fn 0000:04:00.0 10ec:8139 20000 group=27 unit=0 msix\n" MEM_8G,
	"0000:04:00.0 no alias\n0000:06:0d.0 no alias\n0000:06:0d.1 no no-msix alias\n" },

/* Any user: no table, headers of 64 bytes. The units are in sysfs for everybody. */
{ "not-root",
	"kernel 6.12.107\ncpu GenuineIntel vmx\ncmdline intel_iommu=on\nirq IR\nunit 0 fed91000 d2008c40660462 f050da\n"
	"fn 0000:00:1c.0 8086:8c10 60400 group=1 unit=0 sec=03 sub=03 type=4 short\n"
	"fn 0000:03:00.0 8086:1572 20000 group=2 unit=0 driver=i40e msix short\n" MEM_8G,
	"0000:03:00.0 unknown config-unread\nunread 2\n" },

/* Odds and ends, one device each: powered off, a BAR without address, and a unit beyond any limit. */
{ "rest",
	"kernel 6.12.107\ncpu GenuineIntel vmx\ncmdline intel_iommu=on intremap=nosid,off\nirq IR\ndmar 46 0\n"
	"drhd fed91000 0 1\nend\nunit 0 fed91000 d2008c40660462 f050da\nunit 16 fed92000 d2008c40660462 f050da\n"
	"unit 9999 fed93000 d2008c40660462 f050da\n"
	"fn 0000:03:00.0 8086:1572 20000 group=2 unit=0 driver=i40e msix gone\n"
	"fn 0000:04:00.0 8086:1572 20000 group=3 unit=0 driver=i40e msix unset\n"
	"fn 0000:05:00.0 8086:1572 20000 group=4 unit=9999 driver=i40e msix\n" MEM_8G,
	"host no-remapping\n0000:03:00.0 unknown no-answer\n0000:04:00.0 after-change bar-unset\n"
	"0000:05:00.0 no unit-limit\n" },
};

#endif
