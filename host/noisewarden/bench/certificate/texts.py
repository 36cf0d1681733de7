"""What a certificate says, in English and Chinese side by side.

Terms are those of the International Vocabulary of Metrology (JCGM 200, in China JJF 1001) and of
IEC 61672-1 (GB/T 3785.1).
"""

import locale
import os

LANGUAGES = ("en", "zh")

_TEXTS = {
    "title": ("Calibration certificate", "校准证书"),
    "title refused": ("Calibration report: not accepted", "校准报告：不合格"),
    "of": ("of a sound level indicator", "声级指示装置"),
    "number": ("No. {}", "编号 {}"),
    "statement": (
        "This instrument is an indicating device. It is not a sound level meter that was "
        "verified under metrological law (in China: JJG 188). Its levels are there to show, to "
        "remind and to call attention; where the law asks for a verified instrument they are no "
        "measurement.",
        "本装置为指示装置，未经计量检定（JJG 188），不是经检定合格的声级计。其示值仅用于显示、"
        "提醒和预警；凡法律法规要求使用经检定计量器具的场合，其示值不得作为执法测量结果。",
    ),
    "instrument": ("Instrument", "被校装置"),
    "box": ("Box", "装置编号"),
    "serial": ("Serial number of the chip", "芯片序列号"),
    "board": ("Board", "板卡"),
    "microphone": ("Microphone", "传声器"),
    "firmware": ("Firmware", "固件版本"),
    "place": ("Place and conditions", "校准地点及环境"),
    "result": ("Result", "校准结果"),
    "verdict": ("Conclusion", "结论"),
    "accepted": (
        "accepted: every residual within its limit, the slope within ±{:g} dB",
        "合格：全部残差及斜率（±{:g} dB 以内）均符合要求",
    ),
    "refused": (
        "not accepted; nothing was written into the box",
        "不合格；未向装置写入任何数据",
    ),
    "offset": ("Offset, added to every level", "修正值（加于所有声级示值）"),
    "offset before": ("Offset during the measurement", "测量时的修正值"),
    "correction": ("Correction found (reference − box)", "测得的修正量（参考值 − 示值）"),
    "expanded": ("Expanded uncertainty U (k = {})", "扩展不确定度 U（k = {}）"),
    "slope": ("Slope over the range of levels", "声级范围内的斜率"),
    "repeatability": ("Repeatability (standard deviation)", "重复性（标准偏差）"),
    "not repeated": ("no level was repeated", "未进行重复测量"),
    "date": ("Date of calibration", "校准日期"),
    "expires": ("Valid until (last day)", "有效期至（含当日）"),
    "technician": ("Technician", "校准人员"),
    "failures": ("Why it was not accepted", "不合格原因"),
    "references": ("References", "参考标准"),
    "meter": ("Instrument", "仪器"),
    "meter serial": ("Serial number", "出厂编号"),
    "certificate": ("Certificate", "证书编号"),
    "standard": ("Standard uncertainty", "标准不确定度"),
    "resolution": ("Resolution", "分辨力"),
    "points": ("Levels, in dB(A) re 20 µPa", "测量数据，dB(A)，基准 20 µPa"),
    "nominal": ("Nominal", "标称值"),
    "start": ("Start", "起始时刻"),
    "reference level": ("Reference", "参考值"),
    "box level": ("Box as found", "装置示值"),
    "difference": ("Difference", "差值"),
    "residual": ("Residual", "残差"),
    "limit": ("Limit", "限值"),
    "wander": ("Wander ref. / box", "波动 参考 / 装置"),
    "points note": (
        "Each level: {settle} s to settle, then LAeq over {measure} s of pink noise. Wander is "
        "the standard deviation of the levels of the seconds, at most {wander:g} dB. A residual "
        "is what the correction leaves.",
        "每个声级：稳定 {settle} s 后，测量 {measure} s 粉红噪声的 LAeq。波动为每秒声级的标准"
        "偏差，不超过 {wander:g} dB。残差为修正后剩余的差值。",
    ),
    "low point": (
        "Check of the reference's weighting with a low sound: difference {difference} dB, "
        "LCeq − LAeq {c_minus_a} dB.",
        "参考仪器计权的低频声核查：差值 {difference} dB，LCeq − LAeq 为 {c_minus_a} dB。",
    ),
    "plot": ("Residuals with U, and limits of acceptance", "残差、扩展不确定度及允许限"),
    "plot x": ("Level of the reference, dB(A)", "参考声级，dB(A)"),
    "plot y": ("Residual, dB", "残差，dB"),
    "budget": ("Uncertainty", "测量不确定度"),
    "component": ("Component", "不确定度来源"),
    "type": ("Type", "类型"),
    "basis": ("Basis", "评定依据"),
    "combined": ("Combined standard uncertainty", "合成标准不确定度"),
    "budget note": (
        "After JCGM 100:2008 (GUM). It holds for pink noise at the levels above; other sounds, "
        "wind, weather and years are not in it.",
        "按 JCGM 100:2008（GUM；国内见 JJF 1059.1）评定。适用于上述声级的粉红噪声；未包含其他"
        "声音、风、气候和长期漂移的影响。",
    ),
    "signature": ("Signature", "签名"),
    "checked": ("Checked by", "核验"),
    "none": ("none", "无"),
}

_COMPONENTS = {
    "reference": ("Reference", "参考标准"),
    "reference resolution": ("Resolution of the reference", "参考标准分辨力"),
    "box resolution": ("Resolution of the box", "装置分辨力"),
    "repeatability": ("Repeatability", "重复性"),
    "linearity": ("Linearity", "线性"),
    "placement": ("Placement of the microphones", "传声器位置"),
}
_BASES = {
    "reference": ("its certificate or class", "证书或准确度等级"),
    "reference resolution": ("half a digit", "半个分辨力"),
    "box resolution": ("half a digit", "半个分辨力"),
    "repeatability": ("{count} differences, of their mean", "{count} 个差值，平均值的标准偏差"),
    "linearity": ("largest residual of a level", "各声级残差的最大值"),
    "placement": ("within ±{placement:g} dB", "±{placement:g} dB 以内"),
}
"""By the names of `calibration.uncertainty`."""


class Texts:
    """The texts of one of LANGUAGES."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._column = LANGUAGES.index(language)

    def __call__(self, name: str, *values: object, **named: object) -> str:
        return _TEXTS[name][self._column].format(*values, **named)

    def component(self, name: str) -> str:
        return _COMPONENTS[name][self._column]

    def basis(self, name: str, **named: object) -> str:
        return _BASES[name][self._column].format(**named)


def local_language() -> str:
    """That of this computer."""
    names = (os.environ.get("LC_ALL"), os.environ.get("LANG"), locale.getlocale()[0])
    name = next((name for name in names if name), "")
    return "zh" if name.lower().startswith(("zh", "chinese")) else "en"
