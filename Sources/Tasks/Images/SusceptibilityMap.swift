import BIDS
import Kernels
import NIfTI
import Workflow

/// Reading a susceptibility map in ppm, whatever unit it is stored in. The unit is stated, never guessed.
enum SusceptibilityMap {
    /// - Parameters:
    ///   - units: `sidecar`, or the unit that the workflow states in its place.
    /// - Throws: a permanent failure when neither the sidecar nor the workflow states a unit.
    static func unit(of item: TaskRequest.StagedInput, units: String) throws -> BIDS.SusceptibilityUnit {
        if let stated = BIDS.SusceptibilityUnit(rawValue: units) { return stated }
        switch Units.susceptibility(item.input.metadata, image: item.input.name) {
        case .known(let unit): return unit
        case .absent(let sentence), .unknown(let sentence): throw TaskResult.Failure.permanent(sentence)
        }
    }

    /// The map in ppm.
    static func read(_ item: TaskRequest.StagedInput, units: String) throws -> Volume {
        let unit = try unit(of: item, units: units)
        var map = try NIfTIFile.readVolume(item.path)
        if unit == .partsPerBillion {
            for n in map.values.indices { map.values[n] *= 0.001 }
        }
        return map
    }
}
