import BIDS
import Workflow

/// Random cohorts with sessions, columns and gaps; the same for the same seed.
struct FoldCohort {
    var cohort: Cohort
    var participants: CovariateTable

    /// - Parameters:
    ///   - people: how many; every fifth or so has no label map, every seventh or so has sessions.
    init(people: Int, seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var files: [BIDSFile] = []
        participants = CovariateTable(kind: .participants)
        participants.columns = [
            CovariateColumn(name: "group", type: .category), CovariateColumn(name: "age", type: .number),
            CovariateColumn(name: "lesions", type: .integer),
        ]
        for number in 1...people {
            let label = String(format3(number))
            let sessions: [String?] = random.next() % 3 == 0 ? ["a", "b"] : [nil]
            let hasLabels = random.next() % 5 != 0
            for session in sessions {
                let stem = "sub-\(label)" + (session.map { "_ses-\($0)" } ?? "")
                files.append(try Self.file("\(stem)_Chimap.nii.gz"))
                if hasLabels { files.append(try Self.file("\(stem)_dseg.nii.gz")) }
            }
            // Somebody is in no table, somebody has gaps in it.
            if random.next() % 11 == 0 { continue }
            participants.labels.append(label)
            var row: [String: CovariateValue] = ["group": .category(random.next() % 3 == 0 ? "HH" : "control")]
            if random.next() % 7 != 0 { row["age"] = .number(Double(random.next() % 600) / 10 + 20) }
            row["lesions"] = .integer(Int64(random.next() % 3 * (random.next() % 4)))
            participants.rows[label] = row
        }
        cohort = Cohort(files: files)
    }

    static func file(_ name: String) throws -> BIDSFile {
        let parsed = try BIDSName(parsing: name)
        return BIDSFile(
            root: "/d", path: DerivativeName.path(parsed, datatype: "anat"),
            stamp: FileStamp(sizeBytes: 9, modifiedNanoseconds: 0, inode: 0), name: parsed, datatype: "anat",
            dataset: .raw)
    }

    var labels: [String] { cohort.subjects.map(\.label) }

    var withLabels: [String] {
        cohort.subjects.filter { $0.files.contains { $0.name.suffix == "dseg" } }.map(\.label)
    }

    static let amongLabelled = [DatasetQuery(query: BIDSQuery(suffixes: ["dseg"]))]
}

private func format3(_ number: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, 3 - text.count)) + text
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
