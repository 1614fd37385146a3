// The contrast (WCAG 2, 1 to 21) of every text that a selector finds, against what lies under it.
(selector) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 1;
    const pen = canvas.getContext("2d", {willReadFrequently: true});

    const colour = (css, opacity) => {
        if (css === "none") return [0, 0, 0, 0];
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = css;
        pen.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
        return [r, g, b, (a / 255) * opacity];
    };
    const over = ([r, g, b, a], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a));
    const opacity = (element) =>
        element ? Number(getComputedStyle(element).opacity) * opacity(element.parentElement) : 1;
    const isShape = (element) => element instanceof SVGElement && element.tagName !== "svg";

    const ink = (element) => {
        const style = getComputedStyle(element);
        return isShape(element)
            ? colour(style.fill, Number(style.fillOpacity) * opacity(element))
            : colour(style.color, opacity(element));
    };
    const paint = (element) => {
        const style = getComputedStyle(element);
        if (["text", "tspan"].includes(element.tagName)) return [0, 0, 0, 0];
        return isShape(element)
            ? colour(style.fill, Number(style.fillOpacity) * opacity(element))
            : colour(style.backgroundColor, opacity(element));
    };
    const luminance = (rgb) => {
        const [r, g, b] = rgb.map((value) => {
            const part = value / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (element) => {
        element.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
        const box = element.getBoundingClientRect();
        const at = [box.x + box.width / 2, box.y + box.height / 2];
        const ground = document.elementsFromPoint(...at).reverse()
            .reduce((under, layer) => over(paint(layer), under), [255, 255, 255]);
        const pair = [luminance(ground), luminance(over(ink(element), ground))];
        return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    };
    return [...document.querySelectorAll(selector)]
        .filter((element) => element.textContent.trim() && element.getBoundingClientRect().width)
        .map((element) => ({text: element.textContent.trim(), contrast: contrast(element)}));
}
