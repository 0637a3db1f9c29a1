import ArgumentParser
import Radiomics
import Workflow

struct FeaturesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "features",
        abstract: "List the radiomic features by tag, IBSI code and PyRadiomics name.",
        discussion: """
            The tag is the column that radiomics.extract writes with the preset ibsi, for textures with the aggregation \
            behind it (cm_contrast_3D_comb); the PyRadiomics name is that of the preset pyradiomics, behind the kind of image \
            (original_glcm_Contrast), whose glcm and glrlm are averaged over directions as 3D_avg. Where both agree but for \
            something, the description says what; not there is that PyRadiomics leaves out directions without a run in its \
            glrlm (flat regions), and has 0 or 1 for regions of one value where the IBSI has nothing. Bins of one width begin at the smallest value that counts or the lower end \
            of the range for the IBSI, and at multiples of the width for PyRadiomics.
            """)

    @Argument(help: "Show those that have this in a name, or whose name is in this, as a column of a table is named.")
    var name: String?
    @Option(name: .long, help: "Show one family of the IBSI (glcm) or class of PyRadiomics (firstorder) only.")
    var family: String?
    @OptionGroup var output: JSONOption

    /// A feature with its names; nil of those that do not have it.
    struct Listing: Encodable {
        var family: String, tag: String?, ibsiCode: String?, pyRadiomics: String?, pyRadiomicsDifference: String?
        var summary: String

        init(_ feature: FeatureDefinition) {
            // What the IBSI does not have is no column of its preset.
            (family, tag) = (feature.family.rawValue, feature.code == nil ? nil : feature.tag)
            (ibsiCode, pyRadiomics, summary) = (feature.code, feature.pyRadiomics, feature.summary)
            pyRadiomicsDifference = feature.pyRadiomicsDifference
        }

        init(_ feature: FeatureTable.PyRadiomicsOnly) {
            (family, pyRadiomics, summary) = (feature.family.rawValue, feature.name, feature.summary)
        }

        /// All, family by family.
        static var all: [Listing] {
            FeatureFamily.allCases.flatMap { family in
                FeatureTable.definitions(of: family).map(Listing.init)
                    + FeatureTable.pyRadiomicsOnly.filter { $0.family == family }.map(Listing.init)
            }
        }

        /// By part of a name, or by a column: a tag with the aggregation behind, a PyRadiomics name with the image in front.
        func isNamed(_ text: String) -> Bool {
            let text = text.lowercased()
            let names = [tag, ibsiCode, pyRadiomics].compactMap { $0?.lowercased() }
            return names.contains { $0.contains(text) }
                || [tag, pyRadiomics].compactMap { $0?.lowercased() }.contains { name in
                    text.hasPrefix(name + "_") || text.hasSuffix("_" + name)
                }
        }

        func belongs(to name: String) -> Bool { family == name || pyRadiomics?.hasPrefix(name + "_") == true }
    }

    func run() throws {
        let ofIBSI = FeatureFamily.allCases.map(\.rawValue)
        let classes = PyRadiomicsFeatures.FeatureClass.allCases.map(\.rawValue)
        let known = ofIBSI + classes.filter { !ofIBSI.contains($0) }
        if let family, !known.contains(family) {
            throw CommandFailure(
                "There is no family of features “\(family)”; there are \(known.joined(separator: ", "))",
                code: ExitStatus.badData)
        }
        let listed = Listing.all.filter { one in (family.map(one.belongs) ?? true) && (name.map(one.isNamed) ?? true) }
        if let name, listed.isEmpty {
            throw CommandFailure(
                "No feature has “\(name)” in its names; `qsmflow features` lists all", code: ExitStatus.badData)
        }
        if try output.printed(listed) { return }
        var table = TextTable(["family", "tag", "IBSI", "PyRadiomics", "what it is"])
        for one in listed {
            table.add([
                one.family, one.tag ?? "–", one.ibsiCode ?? "–", one.pyRadiomics ?? "–",
                one.summary + (one.pyRadiomicsDifference.map { "; PyRadiomics: \($0)" } ?? ""),
            ])
        }
        table.printed()
    }
}
