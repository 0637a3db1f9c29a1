/// Entities of BIDS 1.11.1 in the order in which a file name carries them.
package enum EntityOrder {
    /// `from`, `to` and `mode` (transforms, not yet part of the standard) stand where fMRIPrep writes them.
    package static let keys: [String] = [
        "tpl", "sub", "cohort", "ses", "sample", "task", "tracksys", "acq", "nuc", "voi", "ce", "trc", "stain", "rec",
        "dir", "run", "mod", "echo", "flip", "inv", "mt", "part", "proc", "from", "to", "mode", "hemi", "space",
        "split", "recording", "chunk", "atlas", "seg", "scale", "res", "den", "label", "desc",
    ]

    /// Entities whose label is a count: `run-01` and `run-1` are the same run.
    package static let indexKeys: Set<String> = ["run", "echo", "flip", "inv", "split", "chunk"]

    private static let rank = Dictionary(uniqueKeysWithValues: keys.enumerated().map { ($1, $0) })

    private static let keysByLongName = [
        "subject": "sub", "participant": "sub", "session": "ses", "template": "tpl", "acquisition": "acq",
        "reconstruction": "rec", "direction": "dir", "modality": "mod", "inversion": "inv", "hemisphere": "hemi",
        "segmentation": "seg", "resolution": "res", "density": "den", "description": "desc", "processed": "proc",
        "processing": "proc", "nucleus": "nuc", "volume": "voi", "ceagent": "ce", "tracer": "trc", "mtransfer": "mt",
    ]

    /// The key of an entity by the long name that the standard's prose uses: `acquisition` is `acq`.
    package static func key(named longName: String) -> String? { keysByLongName[longName.lowercased()] }

    package static func isKnown(_ key: String) -> Bool { rank[key] != nil }

    /// `entities` in the standard's order; unknown ones keep their order and stand before `desc`, which is always last.
    package static func sorted(_ entities: [BIDSName.Entity]) -> [BIDSName.Entity] {
        let descRank = keys.count - 1
        func place(_ key: String) -> Int {
            guard let place = rank[key] else { return 2 * descRank - 1 }
            return 2 * place
        }
        return entities.enumerated().sorted { (place($0.element.key), $0.offset) < (place($1.element.key), $1.offset) }
            .map(\.element)
    }
}
