/** The icon set: paths on a 24-pixel grid, drawn in the colour of the text beside them. */

export const ICONS = {
  open: '<path d="M4 16v3h16v-3M12 15V4M7.5 8.5 12 4l4.5 4.5"/>',
  camera: '<path d="M4 8h3.5L9 5.5h6L16.5 8H20v11H4z"/><circle cx="12" cy="13" r="3.5"/>',
  download: '<path d="M4 16v3h16v-3M12 4v11M7.5 10.5 12 15l4.5-4.5"/>',
  eye: '<path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z"/><circle cx="12" cy="12" r="2.8"/>',
  hidden:
    '<path d="M5 7.5C3.3 9.200 2.500 12 2.500 12S6 18.500 12 18.500c1.500 0 2.800-.4 4-1M9.500 5.900A8.700 8.700 0 0 1 12 5.500c6 0 9.500 6.500 9.500 6.500s-.7 1.400-2 2.900M4 4l16 16"/>',
  sun: '<circle cx="12" cy="12" r="4"/><path d="M12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400"/>',
  moon: '<path d="M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z"/>',
  keys: '<rect x="2.500" y="6" width="19" height="12" rx="2"/><path d="M6 10h.01M10 10h.01M14 10h.01M18 10h.01M7.500 14h9"/>',
  close: '<path d="M6 6l12 12M18 6 6 18"/>',
  plus: '<path d="M12 5v14M5 12h14"/>',
  minus: '<path d="M5 12h14"/>',
  fit: '<path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/>',
  outline: '<path d="M8 4h8l4 4v8l-4 4H8l-4-4V8z" stroke-dasharray="3 2.500"/>',
  labels: '<path d="M12 3.500 21 8.500l-9 5-9-5zM3 13l9 5 9-5"/>',
  heat: '<path d="M12 21a6 6 0 0 0 6-6c0-4-3.500-5.500-4-11-4 2-4 5.500-4 7.500C8.500 10.500 8 9 8 9a8 8 0 0 0-2 6 6 6 0 0 0 6 6z"/>',
  units: '<path d="M4 4h7v6H4zM11 4h9v9h-9zM4 10h7v10H4zM11 13h9v7h-9z"/>',
  photo:
    '<rect x="3.500" y="4.500" width="17" height="15" rx="1.500"/><circle cx="9" cy="10" r="1.600"/><path d="m4 17 5-4 4 3 3-2.500 4.500 4"/>',
  chevron: '<path d="m7 10 5 5 5-5"/>',
  warning: '<path d="M12 4 2.500 20h19zM12 10v4.500M12 17.200v.3"/>',
  pin: '<path d="M12 21.500s6.500-6.500 6.500-11.500a6.500 6.500 0 0 0-13 0c0 5 6.500 11.500 6.500 11.500z"/><circle cx="12" cy="10" r="2.300"/>',
};
