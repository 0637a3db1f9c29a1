import Kernels

/// Judgements about what an image holds, as opposed to whether it can be read: pure functions from images to findings.
///
/// Names given to these functions (paths, usually) open the sentences of the findings.
package enum ImageCheck {
    /// The unit in which a susceptibility map is declared.
    package enum SusceptibilityUnit: String, Sendable, CaseIterable {
        case ppm, ppb

        /// Declared value × this = ppm.
        package var inPPM: Double { self == .ppm ? 1 : 0.001 }
    }

    /// Limits of the judgements. The defaults are far outside what sound images show.
    package struct Limits: Sendable {
        /// Share of missing voxels inside the mask above which results would mislead rather than merely lose voxels.
        package var missingFraction = 0.001
        /// Share of exact zeros inside the mask that hints at a mask larger than the map.
        package var zeroFraction = 0.05
        /// 99th percentile of |χ| in ppm above which the unit cannot be ppm. Sound maps show 0.05 to 0.3; veins, blood
        /// and calcium stay below 1.
        package var largestSusceptibilityPPM = 2.0
        /// The same below which the values cannot be a susceptibility in the declared unit: under 1 ppb.
        package var smallestSusceptibilityPPM = 0.001
        /// Plausible brain volumes in millilitres, newborn to large adult.
        package var brainMillilitres = 300.0...2200.0
        package init() {}
    }

    /// Checks any image: empty, constant, values missing.
    ///
    /// - Parameters:
    ///   - contents: numbers of the image, inside the mask when there is one.
    ///   - masked: whether a mask was used, for the wording.
    package static func values(
        _ contents: ImageContents, named name: String, masked: Bool, limits: Limits = Limits()
    ) -> [ImageFinding] {
        let place = masked ? "inside the brain mask" : "in the image"
        guard contents.voxels > 0 else { return [] }
        guard contents.finite > 0 else {
            return [
                .init(
                    .noFiniteValues, .error,
                    "\(name) has no finite value \(place) (all \(contents.voxels) voxels are NaN or infinite); "
                        + "reconstruct it again")
            ]
        }
        if contents.minimum == contents.maximum {
            let zero = contents.minimum == 0
            return [
                .init(
                    zero ? .allZero : .constant, .error,
                    zero
                        ? "\(name) holds only zeros \(place); reconstruct it again"
                        : "\(name) holds the one value \(contents.minimum) \(place); reconstruct it again")
            ]
        }
        var findings: [ImageFinding] = []
        if contents.missing > 0 {
            let kinds = "\(contents.notANumber) NaN, \(contents.infinite) infinite"
            let share = percent(contents.missingFraction)
            let severe = contents.missingFraction > limits.missingFraction
            findings.append(
                .init(
                    .missingValues, severe ? .error : .warning,
                    "\(name) has no value in \(share) of the voxels \(place) (\(kinds)); "
                        + (severe ? "reconstruct it again" : "those voxels are left out of all results")))
        }
        if contents.missingOutside > 0 {
            findings.append(
                .init(
                    .missingValues, .note,
                    "\(name) has \(contents.missingOutside) NaN or infinite voxels outside the brain mask, which are "
                        + "not used"))
        }
        if masked, contents.zeroFraction > limits.zeroFraction {
            findings.append(
                .init(
                    .zeroInsideMask, .warning,
                    "\(name) is exactly zero in \(percent(contents.zeroFraction)) of the voxels inside the brain mask, "
                        + "so the map may cover less than the mask; use the mask the map was made with"))
        }
        return findings
    }

    /// Checks whether the values of a χ map fit its declared unit.
    ///
    /// - Parameter contents: numbers of the χ map in its declared unit, inside the brain mask.
    package static func susceptibilityUnits(
        _ contents: ImageContents, named name: String, declared unit: SusceptibilityUnit, limits: Limits = Limits()
    ) -> [ImageFinding] {
        guard contents.finite > 0, contents.minimum < contents.maximum else { return [] }
        let range = Double(contents.absolutePercentile99)
        let inPPM = range * unit.inPPM
        let evidence = "99 % of its |χ| in the brain reach up to \(short(range)) in the declared unit \(unit.rawValue)"
        if inPPM > limits.largestSusceptibilityPPM {
            // Read as ppb, would it be a brain?
            if unit == .ppm, range * 0.001 >= limits.smallestSusceptibilityPPM * 10,
                range * 0.001 <= limits.largestSusceptibilityPPM
            {
                return [
                    .init(
                        .probablyPPB, .error,
                        "\(name) is almost surely in ppb, not ppm: \(evidence), where tissue stays below "
                            + "\(short(limits.largestSusceptibilityPPM)) ppm; declare \"Units\": \"ppb\" in its JSON "
                            + "sidecar or divide the values by 1000")
                ]
            }
            return [implausible(name, evidence)]
        }
        if inPPM < limits.smallestSusceptibilityPPM {
            if unit == .ppb, range >= limits.smallestSusceptibilityPPM * 10 {
                return [
                    .init(
                        .probablyPPM, .error,
                        "\(name) is almost surely in ppm, not ppb: \(evidence), less than noise; declare "
                            + "\"Units\": \"ppm\" in its JSON sidecar or multiply the values by 1000")
                ]
            }
            return [implausible(name, evidence)]
        }
        return []
    }

    private static func implausible(_ name: String, _ evidence: String) -> ImageFinding {
        .init(
            .implausibleUnits, .error,
            "\(name) does not look like a susceptibility map: \(evidence); check that it is χ (not phase or field) and "
                + "which \"Units\" its JSON sidecar declares")
    }

    /// Checks a brain mask: anything in it, and of a size a brain can have.
    package static func brainMask(_ mask: Mask, named name: String, limits: Limits = Limits()) -> [ImageFinding] {
        let voxels = mask.voxels
        guard voxels > 0 else {
            return [.init(.emptyMask, .error, "\(name) is an empty mask; make the brain mask again")]
        }
        let millilitres = Double(voxels) * mask.grid.voxelVolumeCubicMillimetres / 1000
        guard limits.brainMillilitres.contains(millilitres) else {
            return [
                .init(
                    .maskVolume, .warning,
                    "\(name) encloses \(short(millilitres)) ml, which is not the size of a brain; look at the mask")
            ]
        }
        return []
    }

    /// Checks that two images that must share a grid do: same voxel counts, every voxel at the same place.
    package static func sameGrid(
        _ first: VoxelGrid, named firstName: String, _ second: VoxelGrid, named secondName: String,
        toleranceMillimetres tolerance: Double = 0.1
    ) -> [ImageFinding] {
        guard first.nx == second.nx, first.ny == second.ny, first.nz == second.nz else {
            return [
                .init(
                    .gridMismatch, .error,
                    "\(firstName) has \(first) and \(secondName) has \(second), although they must share one grid; "
                        + "supply images of the same reconstruction")
            ]
        }
        guard !first.matches(second, toleranceMillimetres: tolerance) else { return [] }
        let mirrored = (first.affine.determinant < 0) != (second.affine.determinant < 0)
        return [
            .init(
                .placedApart, .error,
                "\(firstName) and \(secondName) have equal voxel counts but headers that place them up to "
                    + "\(short(first.largestDistance(to: second))) mm apart\(mirrored ? " and mirrored" : ""); "
                    + "repair the affine (sform/qform) of the wrong one")
        ]
    }

    /// The oddities of a header as findings.
    package static func header(_ header: NIfTIHeader) -> [ImageFinding] {
        header.warnings.map { .init(.header, .warning, "\(header.path): \($0)") }
    }
}

extension VoxelGrid {
    /// Largest distance in mm between equal voxel indices of two grids of equal counts; found at a corner.
    fileprivate func largestDistance(to other: VoxelGrid) -> Double {
        var worst = 0.0
        for corner in 0..<8 {
            let p = SIMD3(
                corner & 1 == 0 ? 0 : Double(nx - 1), corner & 2 == 0 ? 0 : Double(ny - 1),
                corner & 4 == 0 ? 0 : Double(nz - 1))
            let d = affine(p) - other.affine(p)
            worst = max(worst, (d * d).sum().squareRoot())
        }
        return worst
    }
}

/// Three significant digits or so, for sentences.
private func short(_ x: Double) -> String {
    let scale: Double = abs(x) >= 100 ? 1 : abs(x) >= 1 ? 100 : 100_000
    let rounded = (x * scale).rounded() / scale
    return rounded == rounded.rounded() && abs(rounded) < 1e15 ? String(Int(rounded)) : String(rounded)
}

private func percent(_ share: Double) -> String { short(share * 100) + " %" }
