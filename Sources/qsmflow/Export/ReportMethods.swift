import BIDS
import Report
import Workflow

/// What a run did, as prose with its sources: one paragraph per kind of step that it has, or more where steps of a kind differ.
enum ReportMethods {
    /// - Parameter unfitted: steps that were to fit models and fitted none.
    static func paragraphs(_ definition: WorkflowDefinition, unfitted: Set<String> = []) -> [String] {
        var seen: Set<String> = []
        let steps = definition.steps.compactMap { step -> String? in
            if unfitted.contains(step.name) {
                return
                    "Step \(step.name) was to model the regions over the cohort and could model none: nothing here rests on it."
            }
            let text = text(step, atlases: definition.atlases.count, hasMap: hasSusceptibilityMap(definition))
            return text.flatMap { seen.insert($0).inserted ? $0 : nil }
        }
        let opening =
            definition.description.isEmpty
            ? "Workflow “\(definition.name)”." : "Workflow “\(definition.name)”: \(definition.description)."
        return [opening] + steps + (definition.folds.map { [text($0, of: definition)] } ?? [])
    }

    /// Only models of steps that are trained fold by fold are known not to have seen whom they judge; other steps may be about
    /// folds merely to say who takes part.
    private static func text(_ folds: FoldDefinition, of definition: WorkflowDefinition) -> String {
        let trained = definition.steps.filter { $0.isPerFold && $0.people == .training }.map(\.name)
        guard !trained.isEmpty else { return "Nothing was trained over the folds: they say who takes part." }
        let columns = folds.stratify.map(\.words).joined(separator: " and ")
        let how =
            switch folds.count {
            case .eachPerson: "Every person was left out once"
            case .folds(let count):
                "People were put into \(count) folds at random (seed \(folds.seed))"
                    + (columns.isEmpty ? "" : ", each with its share of \(columns)")
            }
        return
            "\(how). A model of step \(trained.joined(separator: " or ")) judges only people that it was not trained on, with "
            + "all their sessions, slices and lesions."
    }

    /// Whether any step takes a susceptibility map.
    private static func hasSusceptibilityMap(_ definition: WorkflowDefinition) -> Bool {
        definition.steps.contains { step in
            step.kind == "roi.statistics"
                || step.inputs.contains { input in
                    if case .bids(let queries) = input.source {
                        return queries.contains { $0.query.suffixes.contains("Chimap") }
                    }
                    return false
                }
        }
    }

    /// A BIDS suffix in words.
    private static func contrast(_ suffix: String) -> String {
        switch suffix {
        case "T1w", "T2w", "PDw": "\(suffix.dropLast())-weighted"
        case "T2starw": "T2*-weighted"
        case "swi": "susceptibility-weighted"
        default: suffix
        }
    }

    private static func text(_ step: StepDefinition, atlases: Int, hasMap: Bool) -> String? {
        func value(_ name: String) -> String {
            guard let value = step.parameters[name] else { return "" }
            if let list = value.arrayValue {
                return list.map { $0.stringValue ?? $0.canonicalString }.joined(separator: ", ")
            }
            return value.stringValue ?? value.canonicalString
        }
        func source(_ port: String) -> StepInput.Source? { step.inputs.first { $0.port == port }?.source }
        func suffixes(_ port: String) -> [String] {
            if case .bids(let queries)? = source(port) { queries.flatMap(\.query.suffixes) } else { [] }
        }
        switch step.kind {
        case "image.check":
            guard hasMap else {
                return "Every image was read whole and refused when it could not be used, such as damaged files."
            }
            return
                "Every image was read whole and refused when it could not be used: damaged files, implausible units, "
                + "grids that do not match, missing values in more than \(value("nonfinite_limit")) of the brain."
        case "brain.mask":
            return
                "The brain was found in the T1-weighted image with a deformable surface [Smith 2002], or taken from a "
                + "mask that the dataset supplies."
        case "registration.within-subject":
            let (moving, fixed) = (suffixes("t1w").first ?? "T1w", suffixes("target"))
            // A magnitude image that stands in for the map is in the map's space.
            let isOntoMap = fixed.isEmpty || fixed.contains("Chimap")
            return
                "The \(contrast(moving)) image was aligned rigidly to "
                + (isOntoMap ? "the space of the susceptibility map" : "the \(contrast(fixed[0])) image")
                + " by maximising mutual information [Mattes 2003]."
        case "image.resample":
            return "Images of another grid were brought to that of the first by trilinear interpolation."
        case "registration.atlas":
            let contrast =
                value("contrast") == "hybrid" && hasMap
                ? "a hybrid of T1w and susceptibility contrast [He 2022]" : "the T1-weighted images"
            return
                "Each person was registered to \(atlases == 1 ? "the atlas" : "each of \(atlases) atlases") on \(contrast): "
                + "rigidly and affinely by mutual information [Mattes 2003], then with a diffeomorphism that maximises local "
                + "cross-correlation (window radius \(value("correlation_radius")) voxels, finest level \(value("finest_mm")) mm) "
                + "[Avants 2008]."
        case "labels.native":
            let fusion =
                atlases < 2
                ? ""
                : value("fusion") == "majority"
                    ? " The atlases voted with one voice each."
                    : " The atlases voted, each weighted by the local similarity of its image [Artaechevarria 2009]."
            let isOnT1w = source("target") != nil && source("target") == source("t1w")
            let grid =
                if isOnT1w {
                    "T1-weighted image"
                } else if let suffix = suffixes("target").first {
                    suffixes("target").contains("Chimap") ? "susceptibility map" : "\(contrast(suffix)) image"
                } else {
                    hasMap ? "susceptibility map" : "target image"
                }
            let volumes = hasMap ? "" : " Volumes are those of the regions on that grid."
            return "Atlas regions were brought to the grid of the \(grid) in one interpolation.\(fusion)\(volumes)"
        case "labels.refine":
            return
                "Borders of regions that stand out from their surroundings by at least \(value("separability")) standard "
                + "deviations were moved, by at most \(value("reach_mm")) mm, to where the susceptibility map shows them: regions and "
                + "surroundings compete by their local means [Lankton 2008] with the atlas labels as prior [Ledig 2015]."
        case "image.slab":
            return
                "Images were brought to a slab of \(value("size")) voxels of \(value("spacing_mm")) mm about these regions, upright in the "
                + "space of the atlas by the affine map or, without one, in the scanner: \(value("regions").isEmpty ? "all" : value("regions"))."
        case "roi.statistics":
            return
                "Susceptibility was summarised per region, relative to each of: \(value("references")). The sub-region of high "
                + "susceptibility holds the voxels above the region's mean plus \(value("high_deviations")) standard deviations."
        case "radiomics.extract":
            switch value("preset") {
            case "qsmrim":
                return
                    "Each lesion was described by 527 radiomic features after QSMRim-Net [Zhang 2022], in bins of 25 ppb."
            case "ibsi":
                return
                    "Radiomic features of each region followed the Image Biomarker Standardisation Initiative "
                    + "[Zwanenburg 2020]; directions and slices were merged as \(value("aggregation"))."
            default: return "Radiomic features of each region followed PyRadiomics [van Griethuysen 2017]."
            }
        case "network.train":
            let sentences = (step.parameters["notes"]?.arrayValue ?? []).compactMap(\.stringValue)
            return
                ([
                    "Step \(step.name) trained \(network(value("network"))) over \(value("epochs")) epochs in batches of "
                        + "\(value("batch")); sizes, loss and all else that decides a training stand in the model's card."
                ]
                + sentences).joined(separator: " ")
        case "network.segment":
            var sentences = [
                "Step \(step.name) gave every voxel the class that its network finds most probable (of one class alone: from a "
                    + "probability of ½ on), "
                    + (value("whole_volume") == "true"
                        ? "each volume in one piece"
                        : "in windows that overlap by \(value("overlap")) of their edges and are blended by a Gaussian")
                    + "; of several networks"
                    + (value("flips").isEmpty ? "" : ", and of images mirrored along \(value("flips")),")
                    + " probabilities are averaged."
            ]
            if value("largest_piece") == "true" { sentences.append("Of every class the largest piece was kept.") }
            if value("fill_holes") == "true" { sentences.append("Holes in a class were filled.") }
            if !["", "0"].contains(value("smallest_mm3")) {
                sentences.append("Pieces of less than \(value("smallest_mm3")) mm³ became background.")
            }
            return sentences.joined(separator: " ")
        case "network.classify":
            return
                "Step \(step.name) gave each person or lesion the probabilities of its network; of several networks they are averaged."
        case "classifier.train":
            return value("method") == "logistic"
                ? "Step \(step.name) trained a logistic regression with a quadratic penalty."
                : "Step \(step.name) trained a random forest of \(value("trees")) trees [Breiman 2001]; people are drawn for each "
                    + "tree, and with a person all cases that are theirs."
        case "lesions.candidates":
            return
                "Candidates are extremes of radial symmetry at radii of \(value("radii_mm")) mm [Loy 2003], polarity "
                + "\(value("polarity")), sign of susceptibility \(value("sign")); at most \(value("limit")) per image, the strongest."
        case "lesions.match":
            return
                "Step \(step.name) called candidates by the class of the reference lesion that they were matched with (rule "
                + "\(value("rule"))), and \(value("other")) without one."
        case "lesions.components":
            return
                "Lesions are pieces of a class that touch (\(value("connectivity")) neighbours), measured one by one; peak "
                + "susceptibility is the value of the largest magnitude."
        case "evaluate.segmentation":
            return
                "Predicted regions were compared with reference regions by Dice and Jaccard coefficients (1 where both are empty, 0 "
                + "where one is) and by distances between surface voxels in mm: the largest (Hausdorff), the 95th percentile of "
                + "both directions pooled and the mean; distances of empty regions do not exist and are counted."
        case "evaluate.detection":
            return
                "Predicted lesions were matched with reference lesions under each of: \(value("rules")). Overlap asks for "
                + "\(value("overlap_voxels")) common voxels and is not one to one; iou asks for an intersection over union of "
                + "\(value("iou")), centre for middles at most \(value("centre_mm")) mm apart, both one to one; valdo takes each "
                + "prediction to its nearest reference within \(value("valdo_mm")) mm [Sudre 2024]. "
                + (["", "0"].contains(value("ignored_below_mm3"))
                    ? ""
                    : "Lesions below \(value("ignored_below_mm3")) mm³ were not asked for: neither missed nor false alarms. ")
                + (source("probabilities") == nil
                    ? ""
                    : "In absolute differences of volume predicted voxels count by their probability, as in VALDO; in all other "
                        + "volumes they count whole. ")
                + "F1 is 2TP / (2TP + FP + FN) of "
                + "references found, predictions that found none and references missed."
        case "evaluate.classification":
            return
                "Predictions with scores were judged by the area under the ROC curve, as a whole and up to a false positive rate of "
                + "\(value("partial_fpr")) (as it is, normalised, and corrected [McClish 1989]), by the area under the "
                + "precision-recall curve (step form, and by trapezoids), by decisions at \(value("threshold")) and by their "
                + "calibration, predictions that only decide by their decisions. Intervals are percentiles of "
                + "\(value("bootstrap")) bootstrap repeats that draw people [Efron 1979], given what was predicted."
        case "evaluate.summary":
            return
                "Evaluations were averaged over people who have the value, several sessions of a person first; pooled figures are "
                + "sums over all images. Numbers and volumes of people were compared by Pearson's correlation and limits of agreement "
                + "[Bland 1986]."
        case "cohort.linear-model":
            return
                "For each region the \(value("outcome")) against the reference \(value("reference")) was modelled linearly on "
                + "\(value("terms")) by least squares; numeric covariates were centred. Intervals cover "
                + "\(value("confidence")) each; q values control the false discovery rate over the regions, for each term by itself "
                + "[Benjamini 1995]."
        case "cohort.qc":
            return
                "Quality numbers were scored against the cohort by 0.6745 (value − median) / median absolute deviation and "
                + "flagged from ±\(value("threshold")) on [Iglewicz 1993], unless the difference from the median is negligible "
                + "(below 0.01 for the inverse error in mm and the least Jacobian, 0.005 for the similarity, 0.00001 for the "
                + "folded fraction)."
        case "command":
            return "Step \(step.name) ran the program “\(value("program"))”."
        default: return nil
        }
    }

    private static func network(_ name: String) -> String {
        switch NetworkChoice(rawValue: name) {
        case .unet: "a U-Net [Ronneberger 2015]"
        case .resunet: "a U-Net of residual blocks [Ronneberger 2015, He 2016]"
        case .dbresunet: "the double-branch network of Chai et al. [Chai 2020]"
        case .deepmir: "the U-Net of DEEPMIR [Rashid 2021]"
        case .resnet18: "a ResNet-18 [He 2016]"
        case .qsmrim: "the network of QSMRim-Net [Zhang 2022]"
        case .slices: "a network of slices with a bidirectional LSTM, after Q-Net [Zabihi 2021]"
        case nil: "a network (\(name))"
        }
    }

    static func citations(_ definition: WorkflowDefinition, unfitted: Set<String> = []) -> [ReportInput.Citation] {
        let text = paragraphs(definition, unfitted: unfitted).joined(separator: " ")
        let sources: [(mark: String, text: String, doi: String?)] = [
            (
                // Always, except where nothing is about susceptibility.
                hasSusceptibilityMap(definition) ? "" : "susceptibility",
                "QSM Consensus Organization Committee. Recommended implementation of quantitative susceptibility mapping for clinical research in the brain. Magn Reson Med 91 (2024) 1834–1862.",
                "10.1002/mrm.30006"
            ),
            (
                "", "Gorgolewski et al. The brain imaging data structure. Sci Data 3 (2016) 160044.",
                "10.1038/sdata.2016.44"
            ),
            (
                "Smith 2002", "Smith. Fast robust automated brain extraction. Hum Brain Mapp 17 (2002) 143–155.",
                "10.1002/hbm.10062"
            ),
            (
                "Lankton 2008",
                "Lankton and Tannenbaum. Localizing region-based active contours. IEEE Trans Image Process 17 (2008) 2029–2039.",
                "10.1109/TIP.2008.2004611"
            ),
            (
                "Ledig 2015",
                "Ledig et al. Robust whole-brain segmentation: application to traumatic brain injury. Med Image Anal 21 (2015) 40–58.",
                "10.1016/j.media.2014.12.003"
            ),
            (
                "Mattes 2003",
                "Mattes et al. PET-CT image registration in the chest using free-form deformations. IEEE Trans Med Imaging 22 (2003) 120–128.",
                "10.1109/TMI.2003.809072"
            ),
            (
                "He 2022",
                "He et al. Quantitative susceptibility atlas construction in Montreal Neurological Institute space: towards histological-consistent iron-rich deep brain nucleus subregion identification. Brain Struct Funct (2022).",
                "10.1007/s00429-022-02547-1"
            ),
            (
                "Avants 2008",
                "Avants et al. Symmetric diffeomorphic image registration with cross-correlation. Med Image Anal 12 (2008) 26–41.",
                "10.1016/j.media.2007.06.004"
            ),
            (
                "Artaechevarria 2009",
                "Artaechevarria et al. Combination strategies in multi-atlas image segmentation. IEEE Trans Med Imaging 28 (2009) 1266–1277.",
                "10.1109/TMI.2009.2014372"
            ),
            (
                "Benjamini 1995",
                "Benjamini and Hochberg. Controlling the false discovery rate. J R Stat Soc B 57 (1995) 289–300.",
                "10.1111/j.2517-6161.1995.tb02031.x"
            ),
            (
                "Sudre 2024",
                "Sudre et al. Where is VALDO? VAscular Lesions Detection and segmentatiOn challenge at MICCAI 2021. Med Image Anal 91 (2024) 103029.",
                "10.1016/j.media.2023.103029"
            ),
            (
                "McClish 1989",
                "McClish. Analyzing a portion of the ROC curve. Med Decis Making 9 (1989) 190–195.",
                "10.1177/0272989X8900900307"
            ),
            (
                "Efron 1979",
                "Efron. Bootstrap methods: another look at the jackknife. Ann Stat 7 (1979) 1–26.",
                "10.1214/aos/1176344552"
            ),
            (
                "Bland 1986",
                "Bland and Altman. Statistical methods for assessing agreement between two methods of clinical measurement. Lancet 327 (1986) 307–310.",
                "10.1016/S0140-6736(86)90837-8"
            ),
            (
                "Zwanenburg 2020",
                "Zwanenburg et al. The image biomarker standardization initiative: standardized quantitative radiomics for high-throughput image-based phenotyping. Radiology 295 (2020) 328–338.",
                "10.1148/radiol.2020191145"
            ),
            (
                "van Griethuysen 2017",
                "van Griethuysen et al. Computational radiomics system to decode the radiographic phenotype. Cancer Res 77 (2017) e104–e107.",
                "10.1158/0008-5472.CAN-17-0339"
            ),
            (
                "Loy 2003",
                "Loy and Zelinsky. Fast radial symmetry for detecting points of interest. IEEE Trans Pattern Anal Mach Intell 25 (2003) 959–973.",
                "10.1109/TPAMI.2003.1217601"
            ),
            (
                "Breiman 2001", "Breiman. Random forests. Mach Learn 45 (2001) 5–32.",
                "10.1023/A:1010933404324"
            ),
            (
                "Zhang 2022",
                "Zhang et al. QSMRim-Net: imbalance-aware learning for identification of chronic active multiple sclerosis lesions on quantitative susceptibility maps. NeuroImage Clin 34 (2022) 102979.",
                "10.1016/j.nicl.2022.102979"
            ),
            (
                "Ronneberger 2015",
                "Ronneberger, Fischer and Brox. U-Net: convolutional networks for biomedical image segmentation. MICCAI (2015) 234–241.",
                "10.1007/978-3-319-24574-4_28"
            ),
            (
                "He 2016", "He et al. Deep residual learning for image recognition. CVPR (2016) 770–778.",
                "10.1109/CVPR.2016.90"
            ),
            (
                "Chai 2020",
                "Chai et al. Automated segmentation of brain gray matter nuclei on quantitative susceptibility mapping using deep convolutional neural network. arXiv 2008.00901 (2020).",
                "10.48550/arXiv.2008.00901"
            ),
            (
                "Rashid 2021",
                "Rashid et al. DEEPMIR: a deep neural network for differential detection of cerebral microbleeds and iron deposits in MRI. Sci Rep 11 (2021) 14124.",
                "10.1038/s41598-021-93427-x"
            ),
            (
                "Zabihi 2021",
                "Zabihi et al. Q-Net: a quantitative susceptibility mapping-based deep neural network for differential diagnosis of brain iron deposition in hemochromatosis. arXiv 2110.00203 (2021).",
                "10.48550/arXiv.2110.00203"
            ),
            (
                "Iglewicz 1993", "Iglewicz and Hoaglin. How to detect and handle outliers. ASQC Quality Press, 1993.",
                nil
            ),
        ]
        return sources.filter { $0.mark.isEmpty || text.contains($0.mark) }.map {
            ReportInput.Citation($0.text, doi: $0.doi)
        }
    }
}
